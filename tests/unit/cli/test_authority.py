"""`atomic-registry ca`: flags and files of the original, judged by openssl."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.kit.certificates import write_pair
from tests.kit.optional import need_commands, run

from atomic_registry.cli.main import root
from atomic_registry.config.string_source import resolve

SIGNER = ["--signer-cert=ca.crt", "--signer-key=ca.key", "--signer-serial=ca.serial.txt"]
PAIR = ["--cert=registry.crt", "--key=registry.key"]
SERVER = ["create-server-cert", *SIGNER, *PAIR]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _authority() -> None:
    ok("create-signer-cert")


def call(*words: str, text: str = "") -> tuple[int, str]:
    """The exit code and all that was said."""
    done = CliRunner().invoke(root, ["ca", *words], input=text)
    return done.exit_code, done.output


def ok(*words: str, text: str = "") -> str:
    code, output = call(*words, text=text)
    assert code == 0, output
    return output


def refused(*words: str, text: str = "") -> str:
    code, output = call(*words, text=text)
    assert code in (1, 2), output
    return output


def mode(name: str) -> int:
    return stat.S_IMODE(Path(name).stat().st_mode)


def serial() -> str:
    return run(["openssl", "x509", "-in", "registry.crt", "-noout", "-serial"]).strip()


@pytest.mark.usefixtures("_authority")
def test_the_step_of_the_readme_makes_a_certificate_that_openssl_takes_for_each_name() -> None:
    need_commands("openssl")
    ok(*SERVER, "--hostnames=registry.example.com,192.0.2.7,::1")
    verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.crt"]
    for check in (
        "-verify_hostname=registry.example.com",
        "-verify_ip=192.0.2.7",
        "-verify_ip=::1",
    ):
        assert "OK" in run([*verify, *check.split("="), "registry.crt"])
    shown = run(["openssl", "x509", "-in", "registry.crt", "-noout", "-text"])
    assert "Subject: CN = 192.0.2.7" in shown
    assert "prime256v1" in shown
    assert [0o644, 0o600] == [mode("registry.crt"), mode("registry.key")]


@pytest.mark.usefixtures("_authority")
def test_the_leaf_comes_first_and_the_authority_follows() -> None:
    ok(*SERVER, "--hostnames=a.test")
    text = Path("registry.crt").read_text()
    assert text.endswith(Path("ca.crt").read_text())
    assert text.count("BEGIN CERTIFICATE") == 2


@pytest.mark.usefixtures("_authority")
def test_the_serial_file_is_kept_and_counts_up() -> None:
    ok(*SERVER, "--hostnames=a.test")
    assert "02" == Path("ca.serial.txt").read_text().strip()
    ok(*SERVER, "--hostnames=a.test")
    assert "03" == Path("ca.serial.txt").read_text().strip()
    assert serial() == "serial=03"


@pytest.mark.usefixtures("_authority")
def test_without_overwriting_only_a_missing_name_has_it_issued_anew() -> None:
    ok(*SERVER, "--hostnames=a.test,b.test")
    before = Path("registry.crt").read_bytes()
    assert "kept registry.crt" in ok(*SERVER, "--hostnames=a.test", "--overwrite=false")
    assert before == Path("registry.crt").read_bytes()
    assert "wrote" in ok(*SERVER, "--hostnames=a.test,c.test", "--overwrite=false")
    assert before != Path("registry.crt").read_bytes()


@pytest.mark.usefixtures("_authority")
def test_a_certificate_from_elsewhere_is_overwritten_only_by_express_wish(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path / "bought", "bought")
    before = certificate.read_bytes()
    words = ["create-server-cert", *SIGNER, f"--cert={certificate}", f"--key={key}"]
    said = refused(*words, "--hostnames=a.test", "--overwrite=false")
    assert "another authority" in said
    assert "--overwrite=true" in said
    said = refused("renew-server-cert", *SIGNER, f"--cert={certificate}", f"--key={key}")
    assert "another authority" in said
    assert before == certificate.read_bytes()
    ok(*words, "--hostnames=a.test")
    assert before != certificate.read_bytes()


@pytest.mark.usefixtures("_authority")
def test_an_rsa_key_is_made_for_those_who_ask() -> None:
    need_commands("openssl")
    ok(*SERVER, "--hostnames=a.test", "--key-type=rsa")
    shown = run(["openssl", "x509", "-in", "registry.crt", "-noout", "-text"])
    assert "Public-Key: (2048 bit)" in shown
    assert "OK" in run(["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "registry.crt"])


@pytest.mark.usefixtures("_authority")
def test_days_are_counted_and_many_of_them_warned_of() -> None:
    need_commands("openssl")
    assert "warning" not in ok(*SERVER, "--hostnames=a.test", "--expire-days=10")
    check = ["openssl", "x509", "-in", "registry.crt", "-noout", "-checkend"]
    assert "will not expire" in run([*check, str(9 * 86400)])
    assert "will expire" in run([*check, str(11 * 86400)], check=False)
    assert "warning: --expire-days=731" in ok(*SERVER, "--hostnames=a.test", "--expire-days=731")
    assert "--expire-days" in refused(*SERVER, "--hostnames=a.test", "--expire-days=0")


def test_an_authority_that_is_not_here_is_named_with_what_to_do() -> None:
    said = refused(*SERVER, "--hostnames=a.test")
    assert "ca.crt" in said
    assert "name the files" in said
    assert not Path("registry.crt").exists()


@pytest.mark.usefixtures("_authority")
@pytest.mark.parametrize("names", ["", " , ", "bad..name", "x" * 64 + ".test"])
def test_an_impossible_host_name_writes_nothing(names: str) -> None:
    refused(*SERVER, f"--hostnames={names}")
    assert not Path("registry.crt").exists()


def test_a_new_authority_keeps_the_old_one_aside_and_counts_anew() -> None:
    ok("create-signer-cert", "--name=first@1")
    old = Path("ca.key").read_bytes()
    ok(*SERVER, "--hostnames=a.test")
    assert "kept" in ok("create-signer-cert", "--overwrite=false")
    assert old == Path("ca.key").read_bytes()
    ok("create-signer-cert")
    assert old == Path("ca.key.old").read_bytes()
    assert [0o600, 0o600, 0o640] == [mode(it) for it in ("ca.key.old", "ca.key", "ca.serial.txt")]
    assert "00" == Path("ca.serial.txt").read_text().strip()


def test_a_key_pair_is_of_rsa_and_kept_unless_asked() -> None:
    need_commands("openssl")
    words = ["create-key-pair", "--public-key=public.key", "--private-key=private.key"]
    ok(*words)
    made = run(["openssl", "rsa", "-in", "private.key", "-check", "-pubout"])
    assert "RSA key ok" in made
    assert Path("public.key").read_text() in made
    assert Path("private.key").read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert [0o600, 0o644] == [mode("private.key"), mode("public.key")]
    before = Path("private.key").read_bytes()
    assert "kept" in ok(*words)
    assert before == Path("private.key").read_bytes()
    ok(*words, "--overwrite")
    assert before != Path("private.key").read_bytes()
    assert "two files" in refused("create-key-pair", "--public-key=k", "--private-key=k")


def test_the_files_of_a_master_are_made_and_renamed_with_it() -> None:
    need_commands("openssl")
    words = ["create-master-certs", "--cert-dir=m", "--master=https://one.test:8443"]
    ok(*words)
    verify = ["openssl", "verify", "-CAfile", "m/ca.crt"]
    assert "OK" in run([*verify, "-verify_hostname", "one.test", "m/master.server.crt"])
    assert "OK" in run([*verify, "-purpose", "sslclient", "m/admin.crt"])
    first = Path("m/master.server.crt").read_bytes()
    ok(*words)
    assert first == Path("m/master.server.crt").read_bytes()
    ok(*words, "--public-master=https://two.test:8443")
    assert "OK" in run([*verify, "-verify_hostname", "two.test", "m/master.server.crt"])
    names = {path.name for path in Path("m").iterdir()}
    assert {"ca.key", "ca.serial.txt", "ca-bundle.crt", "admin.kubeconfig"} <= names
    assert "write https://" in refused("create-master-certs", "--master=one.test")


def test_a_master_whose_authority_is_replaced_gets_all_files_from_the_new_one() -> None:
    need_commands("openssl")
    words = ["create-master-certs", "--cert-dir=m", "--master=https://one.test:8443"]
    ok(*words, "--signer-name=Acme root")
    ok(*words, "--overwrite", "--signer-name=Acme root 2")
    for leaf in ("m/master.server.crt", "m/admin.crt"):
        assert "OK" in run(["openssl", "verify", "-CAfile", "m/ca.crt", leaf])


def test_what_is_encrypted_is_read_by_the_configuration_and_decrypted_again() -> None:
    ok("encrypt", "--genkey=bind.key", "--out=bind.encrypted", text="corrêct")
    assert 0o600 == mode("bind.key")
    assert "ENCRYPTED STRING" in Path("bind.encrypted").read_text()
    source = {"file": "bind.encrypted", "keyFile": "bind.key"}
    assert "corrêct" == resolve(source, Path(), {})
    assert "corrêct" == ok("decrypt", "--key=bind.key", "--in=bind.encrypted")
    ok("decrypt", "--key=bind.key", "--in=bind.encrypted", "--out=plain")
    assert ("corrêct", 0o600) == (Path("plain").read_text(), mode("plain"))


def test_openssl_opens_what_is_encrypted_and_what_it_encrypts_is_opened() -> None:
    need_commands("openssl")
    # A password of letters, so that it fits into a command; the original's are bytes.
    Path("k").write_text(
        "-----BEGIN ENCRYPTING KEY-----\nYWJjZGVmZ2g=\n-----END ENCRYPTING KEY-----\n"
    )
    ok("encrypt", "--key=k", "--out=e", text="secret")
    lines = Path("e").read_text().splitlines()
    vector = lines[2].rpartition(",")[2]
    Path("body").write_text("\n".join(lines[4:-1]) + "\n")
    derive = ["openssl", "enc", "-aes-256-cbc", "-md", "md5", "-P", "-pass", "pass:abcdefgh"]
    printed = run([*derive, "-S", vector[:16]])
    key = next(it for it in printed.splitlines() if it.startswith("key=")).removeprefix("key=")
    cipher = ["openssl", "enc", "-aes-256-cbc", "-a", "-K", key, "-iv", vector]
    assert "secret" == run([*cipher, "-d", "-in", "body"])
    Path("plain").write_text("from openssl")
    sealed = run([*cipher, "-in", "plain"])
    Path("e").write_text("\n".join([*lines[:4], sealed.strip(), lines[-1]]) + "\n")
    assert "from openssl" == ok("decrypt", "--key=k", "--in=e")


def test_a_key_that_has_encrypted_something_is_not_written_over() -> None:
    ok("encrypt", "--genkey=k", "--out=e", text="a")
    before = Path("k").read_bytes()
    assert "use it by --key" in refused("encrypt", "--genkey=k", text="b")
    assert before == Path("k").read_bytes()
    assert "one of --key and --genkey" in refused("encrypt", text="b")
    assert "no-key" in refused("encrypt", "--key=no-key", text="b")


def test_the_wrong_key_is_told_from_a_damaged_file() -> None:
    ok("encrypt", "--genkey=k", "--out=e", text="a")
    ok("encrypt", "--genkey=other", "--out=other-e", text="a")
    assert "the right one" in refused("decrypt", "--key=other", "--in=e")
    assert "no PEM block" in refused("decrypt", "--key=k", text="nonsense")
    assert "ENCRYPTED STRING" in refused("decrypt", "--key=k", "--in=k")
