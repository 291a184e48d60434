"""Reading `master-config.yaml`: the original's file, every kind of provider, all mistakes."""

from pathlib import Path

import pytest

from atomic_registry.config import identity_providers as providers
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.config.master_config import (
    MasterConfig,
    default_master_config,
    load_master_config,
    load_session_secrets,
)
from atomic_registry.config.settings import IdentityProviderChoice

# What `openshift start master --write-config` of Origin 1.3 writes, shortened in the platform.
ORIGINAL = """\
admissionConfig:
  pluginConfig: {}
apiLevels:
- v1
apiVersion: v1
assetConfig:
  extensionScripts: null
  publicURL: https://registry.example.test:8443/console/
auditConfig: {enabled: false}
controllerConfig: {serviceServingCert: {signer: {certFile: service-signer.crt}}}
controllerLeaseTTL: 0
controllers: '*'
corsAllowedOrigins:
- 127.0.0.1
- registry.example.test:8443
disabledFeatures: null
dnsConfig: {allowRecursiveQueries: true, bindAddress: '0.0.0.0:8053'}
etcdClientInfo: {ca: ca.crt, urls: ['https://127.0.0.1:4001']}
etcdConfig: {address: '127.0.0.1:4001'}
etcdStorageConfig: {openShiftStoragePrefix: openshift.io}
imageConfig: {format: 'openshift/origin-${component}:${version}', latest: false}
imagePolicyConfig: {disableScheduledImport: false}
kind: MasterConfig
kubeletClientInfo: {port: 10250}
kubernetesMasterConfig: {apiServerArguments: null, masterCount: 1}
masterClients: {openshiftLoopbackKubeConfig: openshift-master.kubeconfig}
masterPublicURL: https://registry.example.test:8443
networkConfig: {clusterNetworkCIDR: 10.1.0.0/16}
oauthConfig:
  alwaysShowProviderSelection: false
  assetPublicURL: https://registry.example.test:8443/console/
  grantConfig: {method: auto, serviceAccountMethod: prompt}
  identityProviders:
  - challenge: true
    login: true
    mappingMethod: claim
    name: anypassword
    provider: {apiVersion: v1, kind: AllowAllPasswordIdentityProvider}
  masterCA: ca-bundle.crt
  masterPublicURL: https://registry.example.test:8443
  masterURL: https://10.0.0.5:8443
  sessionConfig: {sessionMaxAgeSeconds: 300, sessionName: ssn, sessionSecretsFile: ""}
  templates: null
  tokenConfig: {accessTokenMaxAgeSeconds: 86400, authorizeTokenMaxAgeSeconds: 300}
pauseControllers: false
policyConfig:
  bootstrapPolicyFile: policy.json
  openshiftInfrastructureNamespace: openshift-infra
  openshiftSharedResourcesNamespace: openshift
projectConfig:
  defaultNodeSelector: ""
  projectRequestMessage: Ask the desk
  projectRequestTemplate: ""
  securityAllocator: {mcsAllocatorRange: s0:/2}
routingConfig: {subdomain: router.default.svc.cluster.local}
serviceAccountConfig: {managedNames: [default]}
servingInfo:
  bindAddress: 0.0.0.0:8443
  bindNetwork: tcp4
  certFile: master.server.crt
  clientCA: ca.crt
  keyFile: master.server.key
  maxRequestsInFlight: 0
  namedCertificates: null
  requestTimeoutSeconds: 3600
volumeConfig: {dynamicProvisioningEnabled: true}
"""


def _load(tmp_path: Path, text: str, **environment: str) -> MasterConfig:
    path = tmp_path / "master-config.yaml"
    path.write_text(text)
    return load_master_config(path, environment)


def _mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        _load(tmp_path, text)
    return str(caught.value)


def _with_provider(provider: str, head: str = "login: true") -> str:
    return (
        "oauthConfig: {identityProviders: [{name: p, " + head + ", provider: {" + provider + "}}]}"
    )


def _provider(tmp_path: Path, provider: str, head: str = "login: true") -> providers.Provider:
    config = _load(tmp_path, _with_provider(provider, head), SECRET="s3cret")
    return config.oauth_config.identity_providers[0].provider


def test_the_originals_file_loads_as_it_is(tmp_path: Path) -> None:
    config = _load(tmp_path, ORIGINAL)
    provider = config.oauth_config.identity_providers[0]
    assert ("anypassword", True, True) == (provider.name, provider.challenge, provider.login)
    assert providers.AllowAll() == provider.provider
    assert tmp_path / "master.server.crt" == config.serving_info.cert_file
    assert "0.0.0.0:8443" == config.serving_info.bind_address
    assert "Ask the desk" == config.project_config.project_request_message
    assert config.oauth_config.session_config.session_secrets_file is None
    assert 3600 == config.serving_info.request_timeout_seconds
    assert {"kubernetesMasterConfig", "policyConfig.bootstrapPolicyFile"} < set(config.ignored)


@pytest.mark.parametrize("provider", ["anypassword", "htpasswd"])
def test_the_file_of_a_first_start_loads_without_complaint(
    tmp_path: Path, provider: IdentityProviderChoice
) -> None:
    text = default_master_config(identity_provider=provider, public_url="https://r.example.test")
    config = _load(tmp_path, text)
    (chosen,) = config.oauth_config.identity_providers
    wanted = providers.HTPasswd(file=tmp_path / "htpasswd")
    assert (wanted if provider == "htpasswd" else providers.AllowAll()) == chosen.provider
    assert (provider, True, True) == (chosen.name, chosen.challenge, chosen.login)
    assert "https://r.example.test" == config.master_public_url
    assert "127.0.0.1:8443" == config.serving_info.bind_address
    assert () == config.ignored


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("kind: DenyAllPasswordIdentityProvider", providers.DenyAll),
        ("kind: HTPasswdPasswordIdentityProvider, file: users", providers.HTPasswd),
        (
            (
                "kind: LDAPPasswordIdentityProvider, url: 'ldap://l.test/dc=x?uid', ca: ca.crt, "
                "bindDN: 'cn=x', bindPassword: {env: SECRET}, attributes: {id: [dn], email: [mail]}"
            ),
            providers.Ldap,
        ),
        (
            (
                "kind: BasicAuthPasswordIdentityProvider, url: 'https://b.test/', "
                "certFile: a, keyFile: b"
            ),
            providers.BasicAuth,
        ),
        (
            "kind: KeystonePasswordIdentityProvider, url: 'https://k.test/', domainName: default",
            providers.Keystone,
        ),
        (
            (
                "kind: RequestHeaderIdentityProvider, clientCA: ca.crt, headers: [X-Remote-User], "
                "loginURL: 'https://p.test/login?${query}', clientCommonNames: [proxy]"
            ),
            providers.RequestHeader,
        ),
        (
            (
                "kind: GitHubIdentityProvider, clientID: a, clientSecret: {value: b}, "
                "organizations: [o], teams: [o/t]"
            ),
            providers.GitHub,
        ),
        (
            "kind: GitLabIdentityProvider, url: 'https://g.test', clientID: a, clientSecret: b",
            providers.GitLab,
        ),
        (
            "kind: GoogleIdentityProvider, clientID: a, clientSecret: b, hostedDomain: x.test",
            providers.Google,
        ),
        (
            (
                "kind: OpenIDIdentityProvider, clientID: a, clientSecret: b, ca: ca.crt, "
                "issuer: 'https://o.test', claims: {id: [sub], groups: [groups]}, "
                "extraScopes: [email], extraAuthorizeParameters: {prompt: login}, "
                "urls: {authorize: 'https://o.test/a', token: 'https://o.test/t', "
                "userInfo: 'https://o.test/u'}"
            ),
            providers.OpenId,
        ),
    ],
)
def test_every_kind_of_provider_is_read(tmp_path: Path, provider: str, expected: type) -> None:
    found = _provider(tmp_path, provider)
    assert isinstance(found, expected)
    assert "s3cret" not in repr(found)


def test_a_provider_keeps_what_its_keys_say(tmp_path: Path) -> None:
    ldap = _provider(
        tmp_path,
        "kind: LDAPPasswordIdentityProvider, url: 'ldap://l.test', ca: sub/ca.crt, "
        "bindDN: cn=x, bindPassword: {env: SECRET}, insecure: true, attributes: {id: [dn]}",
    )
    assert isinstance(ldap, providers.Ldap)
    assert ("cn=x", "s3cret", True) == (ldap.bind_dn, ldap.bind_password, ldap.insecure)
    assert tmp_path / "sub" / "ca.crt" == ldap.ca
    assert ("dn",) == ldap.attributes.id


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("kind: RequestHeaderIdentityProvider, headers: [X]", r"provider\.clientCA: without it"),
        ("kind: RequestHeaderIdentityProvider, clientCA: a", r"provider\.headers"),
        (
            "kind: RequestHeaderIdentityProvider, clientCA: a, headers: [X]",
            r"provider\.loginURL: login: true needs it",
        ),
        (
            (
                "kind: RequestHeaderIdentityProvider, clientCA: a, headers: [X], "
                "loginURL: 'https://p.test/'"
            ),
            r"provider\.loginURL: the proxy would not know",
        ),
        (
            "kind: GitHubIdentityProvider, clientID: a, clientSecret: b",
            r"organizations: .*everybody.*allowEveryone",
        ),
        (
            "kind: GitHubIdentityProvider, clientID: a, clientSecret: b, teams: [t]",
            r"teams\[0\]: 't' is not organization/team",
        ),
        ("kind: GitHubIdentityProvider, clientID: a, organizations: [o]", "clientSecret: it is re"),
        (
            "kind: GoogleIdentityProvider, clientID: a, clientSecret: b",
            "hostedDomain: .*everybody",
        ),
        (
            "kind: GitLabIdentityProvider, url: 'https://gitlab.com', clientID: a, clientSecret: b",
            "everybody with an account at gitlab.com",
        ),
        (
            "kind: GitLabIdentityProvider, url: 'http://g.test', clientID: a, clientSecret: b",
            "url: it is not https",
        ),
        ("kind: OpenIDIdentityProvider, clientID: a, clientSecret: b", "issuer: without it"),
        (
            "kind: OpenIDIdentityProvider, clientID: a, clientSecret: '', issuer: 'https://o.test'",
            "clientSecret: it is empty",
        ),
        ("kind: BasicAuthPasswordIdentityProvider, url: 'http://b.test'", "it is not https"),
        (
            "kind: BasicAuthPasswordIdentityProvider, url: 'https://b.test', certFile: a",
            "keyFile: certFile and keyFile need each other",
        ),
        ("kind: KeystonePasswordIdentityProvider, url: 'https://k.test'", "domainName: it is requ"),
        ("kind: HTPasswdPasswordIdentityProvider", "file: it is required"),
        ("kind: LDAPPasswordIdentityProvider, url: 'ldap://l.test'", "attributes: it is required"),
        (
            "kind: LDAPPasswordIdentityProvider, url: 'http://l.test', attributes: {id: [dn]}",
            "is not an LDAP URL",
        ),
        (
            (
                "kind: LDAPPasswordIdentityProvider, url: 'ldaps://l.test', insecure: true, "
                "attributes: {id: [dn]}"
            ),
            "ldaps is always secure",
        ),
        (
            (
                "kind: LDAPPasswordIdentityProvider, url: 'ldaps://l.test', bindDN: x, "
                "attributes: {id: []}"
            ),
            "attributes.id: it needs at least one",
        ),
        ("kind: HtpasswdPasswordIdentityProvider", "did you mean HTPasswdPasswordIdentityProvider"),
        ("kind: AllowAllPasswordIdentityProvider, apiVersion: v2", "'v2' is not v1"),
        ("apiVersion: v1", "None is not known"),
    ],
)
def test_a_provider_that_cannot_work_or_lets_everybody_in_is_refused(
    tmp_path: Path, provider: str, reason: str
) -> None:
    with pytest.raises(ConfigInvalid, match=reason):
        _provider(tmp_path, provider)


@pytest.mark.parametrize(
    "provider",
    [
        "kind: GitHubIdentityProvider, clientID: a, clientSecret: b, allowEveryone: true",
        "kind: GoogleIdentityProvider, clientID: a, clientSecret: b, allowEveryone: true",
        (
            "kind: GitLabIdentityProvider, url: 'https://gitlab.com', clientID: a, clientSecret: b, "
            "allowEveryone: true"
        ),
        "kind: OpenIDIdentityProvider, clientID: a, clientSecret: b, issuer: 'http://127.0.0.1:1'",
    ],
)
def test_what_looks_dangerous_is_taken_when_it_is_said_outright(
    tmp_path: Path, provider: str
) -> None:
    assert _provider(tmp_path, provider).kind in provider


@pytest.mark.parametrize("name", ["a:b", "a/b", "''", "'.'", "'%41'"])
def test_a_name_that_cannot_begin_an_identity_is_refused(tmp_path: Path, name: str) -> None:
    text = _with_provider("kind: DenyAllPasswordIdentityProvider").replace(
        "name: p", f"name: {name}"
    )
    assert "cannot begin the name of an identity" in _mistakes(tmp_path, text)


def test_a_provider_without_passwords_takes_no_challenge(tmp_path: Path) -> None:
    text = _with_provider(
        "kind: GoogleIdentityProvider, clientID: a, clientSecret: b, hostedDomain: x",
        head="challenge: true",
    )
    assert "challenge: this provider takes no passwords" in _mistakes(tmp_path, text)


def test_all_mistakes_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
apiVersion: v2
kind: NodeConfig
servingInfo: {bindAddress: nowhere, certFile: 7, minTLSVersion: VersionSSL30}
masterPublicUrl: https://r.example.test
corsAllowedOrigins: localhost
oauthConfig:
  grantConfig: {method: always}
  tokenConfig: {accessTokenMaxAgeSeconds: "1"}
  sessionConfig: {sessionMaxAgeSeconds: 0}
  identityProviders:
  - {name: a, login: yes please, provider: {kind: AllowAllPasswordIdentityProvider}}
  - {name: b, mappingMethod: guess, provider: {kind: DenyAllPasswordIdentityProvider, file: x}}
projectConfig: [1]
"""
    found = _mistakes(tmp_path, text)
    path = tmp_path / "master-config.yaml"
    for expected in (
        "apiVersion: 'v2' is not v1",
        "kind: 'NodeConfig' is not MasterConfig",
        "servingInfo.certFile: 7 is not a path",
        "servingInfo.minTLSVersion: 'VersionSSL30' is not one of",
        "masterPublicUrl: there is no such key (did you mean masterPublicURL?)",
        "corsAllowedOrigins: it must be a list",
        "oauthConfig.grantConfig.method: 'always' is not one of auto, prompt, deny",
        "oauthConfig.tokenConfig.accessTokenMaxAgeSeconds: '1' is not a whole number",
        "oauthConfig.sessionConfig.sessionMaxAgeSeconds: it must be at least 1",
        "oauthConfig.identityProviders[0].login: 'yes please' is not true or false",
        "oauthConfig.identityProviders[1].mappingMethod: 'guess' is not one of",
        "oauthConfig.identityProviders[1].provider.file: there is no such key",
        "projectConfig: it must be a mapping",
    ):
        assert f"{path}: {expected}" in found
    assert 13 == len(found.splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("servingInfo: {cipherSuites: [TLS_RSA_WITH_RC4_128_SHA]}", "cipherSuites: TLS_RSA_WITH"),
        ("servingInfo: {bindAddress: '0.0.0.0:1', bindNetwork: tcp6}", "bindNetwork: 0.0.0.0 is"),
        ("servingInfo: {maxRequestsInFlight: -2}", "maxRequestsInFlight: it must be"),
        ("servingInfo: {requestTimeoutSeconds: -2}", "requestTimeoutSeconds: it must be"),
        ("auditConfig: {maximumRetainedFiles: -1}", "auditConfig.maximumRetainedFiles: it must"),
        (
            "policyConfig: {userAgentMatchingConfig: {deniedClients: [{regex: '(', httpVerbs: [GE]}]}}",
            "deniedClients[0].httpVerbs: GE: not one of",
        ),
        ("imagePolicyConfig: {externalRegistryHostname: 'https://r'}", "does not read HOST:PORT"),
        ("authConfig: {requestHeader: {clientCA: a}}", "authConfig.requestHeader: it is not"),
    ],
)
def test_a_section_that_cannot_hold_is_refused_with_its_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in _mistakes(tmp_path, text)


def test_sections_of_later_versions_load_and_paths_are_those_of_the_file(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        """authConfig: {requestHeader: null}
auditConfig: {enabled: true, auditFilePath: audit.log, policyFile: p.yaml, logFormat: json}
servingInfo:
  minTLSVersion: VersionTLS10
  cipherSuites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
imagePolicyConfig: {allowedRegistriesForImport: [{domainName: docker.io}]}
policyConfig: {userAgentMatchingConfig: {requiredClients: null, deniedClients: null}}
""",
    )
    assert tmp_path / "audit.log" == config.audit_config.audit_file_path
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" == config.serving_info.ciphers
    assert "imagePolicyConfig.allowedRegistriesForImport" in config.ignored
    assert "" == config.policy_config.user_agent_matching_config.refusal("GET", "oc")


def test_a_client_is_refused_also_where_the_file_has_no_words_for_it(tmp_path: Path) -> None:
    rules = "requiredClients: [{regex: oc}], defaultRejectionMessage: ''"
    config = _load(tmp_path, f"policyConfig: {{userAgentMatchingConfig: {{{rules}}}}}")
    assert "another version" in config.policy_config.user_agent_matching_config.refusal("GET", "")


def test_two_providers_of_one_name_are_refused(tmp_path: Path) -> None:
    one = "{name: p, provider: {kind: DenyAllPasswordIdentityProvider}}"
    text = f"oauthConfig: {{identityProviders: [{one}, {one}]}}"
    assert "identityProviders[1].name: another provider is called 'p'" in _mistakes(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: *x", "anchors and aliases are not taken"),
        ("servingInfo: &x {}", "anchors and aliases are not taken"),
        ("servingInfo: *x", "anchors and aliases are not taken"),
        ("servingInfo: {<<: {bindAddress: 'x:1'}}", "x:1"),
        ("kind: a\nkind: b", "given twice"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("- 1", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: [", "not YAML"),
        ("[" * 5000, "not YAML"),
        ("a: \x00", "not YAML"),
        ("x" * 1_100_000, "larger than"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    if "<<" in text:
        assert "x:1" == _load(tmp_path, text).serving_info.bind_address
    else:
        assert reason in _mistakes(tmp_path, text)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        load_master_config(tmp_path / "absent.yaml", {})


def test_a_secret_that_cannot_be_had_is_one_of_the_mistakes(tmp_path: Path) -> None:
    text = _with_provider(
        "kind: GitHubIdentityProvider, clientID: a, clientSecret: {env: ABSENT}, organizations: [o]"
    )
    found = _mistakes(tmp_path, text)
    assert "provider.clientSecret: the environment variable ABSENT is not set" in found


def test_session_secrets_are_read_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "secrets.yaml"
    pair = "{authentication: %s, encryption: %s}"
    first, second = pair % ("a" * 32, "b" * 24), pair % ("c" * 64, "d" * 32)
    path.write_text(f"apiVersion: v1\nkind: SessionSecrets\nsecrets: [{first}, {second}]")
    found = load_session_secrets(path)
    assert ["a" * 32, "c" * 64] == [secret.authentication for secret in found]
    assert "bbb" not in repr(found)


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ("[]", "at least one pair"),
        (
            "[{authentication: short, encryption: bbbbbbbbbbbbbbbb}]",
            r"secrets\[0\]\.authentication",
        ),
        (f"[{{authentication: {'a' * 32}, encryption: short}}]", r"secrets\[0\]\.encryption"),
    ],
)
def test_session_secrets_of_a_wrong_length_are_refused(
    tmp_path: Path, secrets: str, reason: str
) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text(f"secrets: {secrets}")
    with pytest.raises(ConfigInvalid, match=reason):
        load_session_secrets(path)
