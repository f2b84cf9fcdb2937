"""Clients of AWS's services, and what their errors are to us."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Self

from pricing.providers.client import brief
from pricing.providers.contract import Request, SourceError, client_library, is_loopback


class Clients:
    """Clients of AWS's services, made when they are asked for, closed at the end; ``lack`` says why there can be none."""

    def __init__(self, request: Request) -> None:
        self._settings = request.settings
        self._guard = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}
        self.lack: SourceError | None = None
        try:
            with client_library():
                import boto3
        except SourceError as error:
            self.lack = error
            return
        session: Any = boto3.session.Session()
        self._session = session
        # Looked for once: without any, the search ends at a machine that answers in clouds alone.
        self._has_credentials = session.get_credentials() is not None
        # A service of this machine's own needs none.
        own = [self._endpoint(service) for service in ("ec2", "pricing", "savingsplans")]
        if not self._has_credentials and not any(is_loopback(url) for url in own):
            message = "needs AWS credentials (read-only is enough); list prices were had without"
            self.lack = SourceError(message, reason="credentials")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._made.values():
            client.close()

    def _endpoint(self, service: str) -> str:
        own = self._settings.get("AWS_ENDPOINT_URL", "")
        return self._settings.get(f"AWS_ENDPOINT_URL_{service.upper()}", own)

    def of(self, service: str, region: str) -> Any:  # noqa: ANN401 - a boto3 client
        """Return the client of a service in a region."""
        from botocore.config import Config

        endpoint = self._endpoint(service)
        if not self._has_credentials and not is_loopback(endpoint):
            raise SourceError(f"{service} needs AWS credentials", reason="credentials")
        anonymous = {"aws_access_key_id": "anonymous", "aws_secret_access_key": "anonymous"}
        retries = Config(
            retries={"mode": "standard", "max_attempts": 6},
            connect_timeout=15,
            read_timeout=60,
            user_agent_extra="gpuplan",
        )
        with self._guard:  # a session is not made for threads; the clients that it makes are
            if (service, region) not in self._made:
                self._made[service, region] = self._session.client(
                    service,
                    region_name=region,
                    config=retries,
                    endpoint_url=endpoint or None,
                    **({} if self._has_credentials else anonymous),
                )
                self._made[service, region].meta.events.register("before-parse", _check_length)
            return self._made[service, region]


def _check_length(response_dict: dict[str, Any], **_: object) -> None:
    """Refuse an answer that broke off: botocore reads it as an empty one."""
    stated, body = response_dict["headers"].get("Content-Length"), response_dict["body"]
    if stated is not None and isinstance(body, bytes) and len(body) < int(stated):
        raise SourceError(f"AWS's answer breaks off after {len(body)} of {stated} bytes", reason="truncated")


def pages_of(request: Request, paginator: Iterable[Any]) -> Iterator[Any]:
    """Walk a paginator within the time; its errors become ours."""
    walk = iter(paginator)
    request.time_left_s()
    while (page := called(lambda: next(walk, None))) is not None:
        yield page
        request.time_left_s()


def called(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - an SDK's answer
    """Return what is answered; its errors become ours."""
    try:
        return ask()
    except SourceError:
        raise
    except Exception as error:
        raise source_error(error) from error


CREDENTIAL_CODES: Final = frozenset(
    """
    AuthFailure UnauthorizedOperation AccessDenied AccessDeniedException OptInRequired InvalidClientTokenId
""".split()
)


def source_error(error: Exception) -> SourceError:
    """Turn what boto3 raises into a fault of the source; a bug keeps its own type."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "error"))
        reason = "refused" if code in CREDENTIAL_CODES else "answered_with_error"
        return SourceError(f"AWS answered {code}: {error}", reason=reason)
    if isinstance(error, NoCredentialsError):
        return SourceError("AWS credentials are missing", reason="credentials")
    if isinstance(error, ResponseParserError):
        return SourceError(f"AWS did not answer in the form of its API: {brief(error)}", reason="shape")
    if isinstance(error, ParamValidationError) or not isinstance(error, BotoCoreError | OSError):
        raise error
    return SourceError(f"AWS could not be read: {error}", reason="unreachable")
