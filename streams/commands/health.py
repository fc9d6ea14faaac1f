"""`regulars health`: what a running worker says of itself."""

import click

from streams.commands.options import WithSettings, settings_of

EXIT_UNWELL = 1
_PATIENCE_S = 5


@click.command("health", cls=WithSettings)
@click.option("--url", metavar="URL", help="The worker's page; default: http.port on this machine.")
@click.pass_context
def command(ctx: click.Context, *, url: str | None) -> int:
    """Ask a worker's /health. Exit code 0 if it is well, 1 if not or if nobody answers; fit for container checks."""
    from http.client import HTTPException, InvalidURL
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, build_opener

    http = settings_of(ctx).http
    # A worker that listens on all addresses of one family is reached by the loopback address of that family alone.
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(http.host, http.host)  # noqa: S104 - compared, not bound
    page = url or f"http://{f'[{host}]' if ':' in host else host}:{http.port}/health"
    if not page.startswith(("http://", "https://")):
        raise click.UsageError(f"{page!r} is no http URL")
    if url is None and not http.port:
        raise click.UsageError("http.port is 0: workers of these settings show no page")
    try:
        # Containers are given proxies for the world outside; there the worker's own address means another machine.
        with build_opener(ProxyHandler({})).open(page, timeout=_PATIENCE_S) as answer:
            click.echo(answer.read().decode("utf-8", "replace").strip())
            return 0
    except HTTPError as error:
        click.echo(error.read().decode("utf-8", "replace").strip() or str(error))
    except (InvalidURL, ValueError):
        raise click.UsageError(f"{page!r} is no http URL") from None
    except (URLError, OSError, HTTPException) as error:
        click.echo(f"no worker answers at {page}: {getattr(error, 'reason', error)}", err=True)
    return EXIT_UNWELL
