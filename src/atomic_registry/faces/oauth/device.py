"""The page on which a user approves a program that has no browser (RFC 8628, section 3.3)."""

from atomic_registry.errors import GrantRefused
from atomic_registry.faces.oauth.pages import (
    Pages,
    read_form,
    redirect,
    set_cookie,
    with_parameters,
)
from atomic_registry.faces.oauth.sessions import Session, Sessions, without_user
from atomic_registry.identity.device_grants import DeviceGrantService, PendingDevice
from atomic_registry.identity.grants import GrantService
from atomic_registry.web.messages import Request, Response

_PATH = "/oauth/device"
_MAX_CODE_LENGTH = 32


class DeviceHandlers:
    """The user types the code, sees what asks for what, and answers."""

    def __init__(
        self,
        devices: DeviceGrantService,
        grants: GrantService,
        *,
        sessions: Sessions,
        pages: Pages,
    ) -> None:
        self._devices = devices
        self._grants = grants
        self._sessions = sessions
        self._pages = pages

    async def get(self, request: Request) -> Response:
        code = (request.query.get("user_code") or "")[:_MAX_CODE_LENGTH]
        session = self._sessions.read(request)
        if not await self._is_live(session):
            return _login(code)
        return self._page(session, code)

    async def post(self, request: Request) -> Response:
        form = await read_form(request)
        code = (form.get("user_code") or "")[:_MAX_CODE_LENGTH]
        session = self._sessions.read(request)
        if not await self._is_live(session) or not session.check_csrf(form.get("csrf")):
            return _login(code)
        action = form.get("action")
        try:
            if action in {"approve", "deny"}:
                return await self._answer(request, session, code, approves=action == "approve")
            pending = await self._devices.get_pending(session.actor, code, address=request.remote)
        except GrantRefused as refusal:
            return self._page(session, code, error=refusal.message)
        return self._page(session, code, pending=pending)

    async def _answer(
        self, request: Request, session: Session, code: str, *, approves: bool
    ) -> Response:
        pending = await self._devices.answer(
            session.actor, code, approves=approves, address=request.remote, session=session.id
        )
        values = {"client": pending.client, "is_approved": approves}
        page = self._pages.render("device_done.html", values)
        return set_cookie(page, self._sessions.cookie(without_user(session)))

    async def _is_live(self, session: Session) -> bool:
        return bool(session.user) and not await self._grants.is_used_session(session.id)

    def _page(
        self, session: Session, code: str, *, pending: PendingDevice | None = None, error: str = ""
    ) -> Response:
        values = {
            "csrf": session.csrf,
            "user": session.user,
            "user_code": code,
            "client": pending.client if pending else "",
            "scopes": pending.scopes if pending else (),
            "error": error,
        }
        page = self._pages.render("device.html", values, status=400 if error else 200)
        return set_cookie(page, self._sessions.cookie(session))


def _login(code: str) -> Response:
    then = with_parameters(_PATH, user_code=code) if code else _PATH
    return redirect(with_parameters("/login", then=then))
