// A visitor in a real browser: views a product, adds it, logs in, buys, and leaves. Prints what she did as JSON.
// node browser.mjs COLLECTOR_URL WRITE_KEY PAGE_PORT CHROMIUM LIBRARY CLOCK_OFFSET_MS
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [url, writeKey, port, executablePath, library, clockOffsetMs] = process.argv.slice(2);

const bundle = await build({
  entryPoints: [fileURLToPath(new URL(`page_${library}.mjs`, import.meta.url))],
  bundle: true,
  write: false,
  format: "iife",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "error",
});
const script = bundle.outputFiles[0].text;
const page = (body, tracking) => `<!doctype html><meta charset="utf-8"><title>Shop</title>${body}
<script>window.shop = ${JSON.stringify({ url, writeKey })}</script><script src="/tracking.js"></script>
<script>
  const coffee = { product_id: "coffee", name: "Coffee", price: 9.9, quantity: 2, currency: "EUR" };
  const on = (id, act) => document.getElementById(id).addEventListener("click", act);
  ${tracking}
</script>`;
const pages = {
  "/shop": page(
    `<h1>Coffee</h1><button id="add">Add to cart</button><button id="login">Log in</button><button id="buy">Buy</button>`,
    `on("add", () => tracker.track("Product Added", { ...coffee, cart_id: "cart-${library}" }));
     on("login", () => tracker.identify("browser-${library}", { name: "Bea", vip: true }));
     on("buy", () => { location.href = "/thanks"; });
     tracker.page();
     tracker.track("Product Viewed", coffee);`,
  ),
  "/thanks": page(
    `<h1>Thank you</h1>`,
    `tracker.page();
     tracker.track("Order Completed", {
       order_id: "browser-order-${library}", cart_id: "cart-${library}", revenue: 19.8, currency: "EUR", products: [coffee],
     });`,
  ),
};
const EVENTS = 6; // two pages, a view, a product added, a login, an order

const server = createServer((request, response) => {
  if (request.url === "/tracking.js") response.setHeader("content-type", "text/javascript").end(script);
  else response.setHeader("content-type", "text/html").end(pages[request.url] ?? "");
});
await new Promise((listening) => server.listen(Number(port), "127.0.0.1", listening));

const browser = await chromium.launch({
  executablePath,
  args: [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ],
});
try {
  const tab = await browser.newPage();
  tab.setDefaultTimeout(20_000);
  const problems = [];
  tab.on("pageerror", (error) => problems.push(String(error)));
  // A visitor whose clock is wrong.
  await tab.addInitScript((offset) => {
    const Real = Date;
    window.Date = class extends Real {
      constructor(...given) {
        if (given.length) super(...given);
        else super(Real.now() + offset);
      }
      static now() {
        return Real.now() + offset;
      }
    };
  }, Number(clockOffsetMs));
  let delivered = 0;
  let allDelivered;
  const done = new Promise((resolve) => (allDelivered = resolve));
  const contentTypes = new Set();
  tab.on("response", (response) => {
    if (response.request().method() !== "POST" || !response.url().startsWith(url)) return;
    contentTypes.add(response.request().headers()["content-type"]);
    if (!response.ok()) problems.push(`${response.url()}: ${response.status()}`);
    else if (++delivered === EVENTS) allDelivered();
  });
  const startedMs = Date.now();
  await tab.goto(`http://localhost:${port}/shop`);
  await tab.waitForFunction(() => window.ready);
  const anonymousId = await tab.evaluate(() => window.tracker.anonymousId());
  await tab.click("#add");
  await tab.click("#login");
  while (delivered < EVENTS - 2) await tab.waitForTimeout(50); // she looks around while her page sends
  await tab.click("#buy");
  await tab.waitForURL("**/thanks");
  const late = new Promise((over) => setTimeout(() => over("late"), 20_000).unref());
  if ((await Promise.race([done, late])) === "late") problems.push("not all was delivered");
  console.log(JSON.stringify({ anonymousId, startedMs, endedMs: Date.now(), problems, delivered, contentTypes: [...contentTypes] }));
} finally {
  await browser.close();
  server.close();
}
