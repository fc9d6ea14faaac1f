"""`regulars serve`: events in over HTTP (Segment, RudderStack, webhooks), profiles out.

Follow a request: `app` (route, CORS, refusals), `collect` or `read` (the handlers), `intake` (messages into records),
`event_log` (what "accepted" means). `routes` is the table of all paths, `keys` says who may call, `build` puts the parts
together, `server` runs them.
"""
