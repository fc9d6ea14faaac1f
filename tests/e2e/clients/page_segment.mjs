// The shop page's tracking with Segment's browser library, as a shop would bundle it.
import { AnalyticsBrowser } from "@segment/analytics-next";

const { url, writeKey } = window.shop;
const [protocol, host] = url.split("://");
const analytics = AnalyticsBrowser.load(
  // The settings that otherwise come from Segment's CDN.
  { writeKey, cdnSettings: { integrations: { "Segment.io": { apiKey: writeKey } } } },
  { integrations: { "Segment.io": { apiHost: `${host}/v1`, protocol } } },
);

window.tracker = {
  page: () => analytics.page("Shop"),
  track: (event, properties) => analytics.track(event, properties),
  identify: (userId, traits) => analytics.identify(userId, traits),
  anonymousId: async () => (await analytics.user()).anonymousId(),
};
window.ready = true;
