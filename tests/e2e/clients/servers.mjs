// What a shop's Node back end sends, through Segment's and RudderStack's own libraries.
// node servers.mjs COLLECTOR_URL WRITE_KEY
import { Analytics } from "@segment/analytics-node";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";

const [url, writeKey] = process.argv.slice(2);

const segment = new Analytics({ writeKey, host: url, flushInterval: 200 });
segment.identify({ userId: "node-segment", traits: { name: "Nora" }, messageId: "node-segment-identify" });
for (let number = 0; number < 40; number++) {
  segment.track({
    userId: "node-segment",
    event: "Product Viewed",
    messageId: `node-segment-${number}`,
    properties: { product_id: `p${number}`, price: 9.9, currency: "EUR" },
  });
}
segment.track({
  userId: "node-segment",
  event: "Order Completed",
  messageId: "node-segment-order",
  timestamp: new Date(Date.now() - 60_000),
  properties: { order_id: "node-o1", revenue: 19.8, currency: "EUR", products: [{ product_id: "p1", price: 9.9, quantity: 2 }] },
});
await segment.closeAndFlush();

// It packs its batches with gzip unless told otherwise.
const rudder = new RudderAnalytics(writeKey, { dataPlaneUrl: url, flushInterval: 200, logLevel: "error" });
rudder.identify({ userId: "node-rudder", traits: { name: "Rudi" }, messageId: "node-rudder-identify" });
for (let number = 0; number < 40; number++) {
  rudder.track({
    userId: "node-rudder",
    event: "Product Viewed",
    messageId: `node-rudder-${number}`,
    properties: { product_id: `p${number}`, price: 9.9, currency: "EUR" },
  });
}
// What waits is sent by its timer; the process ends by itself when that is done.
