// The same with RudderStack's.
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

const { url, writeKey } = window.shop;
const analytics = new RudderAnalytics();
analytics.load(writeKey, url, {
  // What otherwise comes from RudderStack's control plane.
  getSourceConfig: () => ({ source: { id: "shop", name: "shop", writeKey, enabled: true, config: {}, connections: [], destinations: [] } }),
  integrations: { All: false },
  queueOptions: { minRetryDelay: 200, maxRetryDelay: 1000 },
});
analytics.ready(() => {});

window.tracker = {
  page: () => analytics.page("Shop"),
  track: (event, properties) => analytics.track(event, properties),
  identify: (userId, traits) => analytics.identify(userId, traits),
  anonymousId: async () => analytics.getAnonymousId(),
};
window.ready = true;
