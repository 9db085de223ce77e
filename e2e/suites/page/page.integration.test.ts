// The page that the operator serves, seen from outside: who is told what, and what a person in a real Chromium sees and
// reaches by keyboard, whatever is written in the cluster.
import axe, { type AxeResults } from "axe-core";
import type { Browser, BrowserContext, ConsoleMessage, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { ask, earlierRecord, fillCluster, originOf, type PageAnswer, tokens } from "./bed.ts";
import { chromiumVersion, startChromium } from "./chromium.ts";

let cluster: Cluster;
let shieldx: ShieldxOnHost;
let reader: string;
let stranger: string;
/** Of both operators; one leads. */
let origins: readonly string[];
const dataOf = async (origin: string): Promise<PageAnswer> =>
  JSON.parse((await ask(`${origin}/page/data`, { token: reader })).body) as PageAnswer;

beforeAll(async () => {
  cluster = await startCluster({ name: "page" });
  shieldx = await startShieldxOnHost(cluster, {
    operators: 2,
    // The record is there before any operator is, as after an upgrade.
    install: async (manifests) => {
      await mustKubectl(cluster, ["apply", "--server-side", "-f", "-"], manifests);
      const record = JSON.stringify(earlierRecord(Date.now()));
      await mustKubectl(cluster, ["apply", "--server-side", "-f", "-"], record);
    },
  });
  origins = shieldx.operators.map(originOf);
  ({ reader, stranger } = await tokens(cluster));
  await fillCluster(cluster);
  await waitFor("the audit's findings recorded", async () => {
    const all = await Promise.all(origins.map(dataOf));
    return all.every(({ findings }) => findings?.owners.total === 2 && findings.objects === 5);
  });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

describe("what is served", () => {
  it("is data to who may, and a bare status to everybody else", async () => {
    for (const origin of origins) {
      const url = `${origin}/page/data`;
      expect(await ask(url)).toMatchObject({
        status: 401,
        body: "",
        headers: { "www-authenticate": "Bearer" },
      });
      expect(await ask(url, { token: `${reader}x` })).toMatchObject({ status: 401, body: "" });
      // Who may read every policy and exception may not see the page unless somebody grants it.
      expect(await ask(url, { token: stranger })).toMatchObject({ status: 403, body: "" });
      expect(await ask(`${url}?token=${reader}`)).toMatchObject({ status: 401, body: "" });
      expect(await ask(url, { headers: { cookie: `token=${reader}` } })).toMatchObject({ status: 401 });
      const told = await ask(url, { token: reader });
      expect(told).toMatchObject({
        status: 200,
        headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
      });
      const known = { "if-none-match": String(told.headers.etag) };
      expect(await ask(url, { headers: known })).toMatchObject({ status: 401 });
      expect(await ask(url, { token: reader, headers: known })).toMatchObject({ status: 304, body: "" });
      expect(await ask(url, { token: reader, method: "POST" })).toMatchObject({ status: 405, body: "" });
      expect(await ask(`${origin}/metrics`, { token: reader })).toMatchObject({ status: 403 });
    }
  });

  it("is a document without anything of the cluster, to anybody, with strict headers", async () => {
    const document = await ask(`${origins[0]}/page`);
    expect(document.status).toBe(200);
    expect(document.body).not.toMatch(/guarded|warehouse|shop/);
    expect(document.headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'sha256-.*frame-ancestors 'none'/,
    );
    expect(document.headers).toMatchObject({ "x-frame-options": "DENY", "referrer-policy": "no-referrer" });
    const known = { "if-none-match": String(document.headers.etag) };
    expect(await ask(`${origins[0]}/page`, { headers: known })).toMatchObject({ status: 304, body: "" });
  });

  it("is the same from the leader and from the standby, and goes on where the operator before ended", async () => {
    const [one, other] = await Promise.all(origins.map(dataOf));
    expect(other).toEqual(one);
    expect(one?.findings).toMatchObject({
      objects: 5,
      namespaces: {
        total: 2,
        rows: [
          { name: "shop", objects: 4 },
          { name: "warehouse", objects: 1 },
        ],
      },
      owners: {
        rows: [
          { kind: "Deployment", namespace: "shop", name: "web", objects: 4 },
          { kind: "Pod", namespace: "warehouse", name: "alone", objects: 1 },
        ],
      },
    });
    const { total, policies } = one?.findings?.history ?? {};
    // Two hours nobody watched; the last entry is of now, or the hour turned since.
    expect(total?.slice(0, 5)).toEqual([700, 650, 12, null, null]);
    expect(total?.at(-1)).toBe(5);
    expect(policies?.map(({ name }) => name)).toEqual(["earlier-policy", "guarded"]);
  });
});

/** What the page would do only if something of the cluster, or somebody else's, had been run or loaded. */
interface Watched {
  readonly requests: string[];
  readonly complaints: string[];
}

function watch(page: Page): Watched {
  const watched: Watched = { requests: [], complaints: [] };
  page.on("request", (request) => void watched.requests.push(request.url()));
  page.on("pageerror", (error) => void watched.complaints.push(String(error)));
  page.on("console", (message: ConsoleMessage) => {
    // A refusal of ours is an error in the console, too.
    const isStatus = /the server responded with a status of (401|403)/.test(message.text());
    if (message.type() === "error" && !isStatus) watched.complaints.push(message.text());
  });
  return watched;
}

describe.runIf(chromiumVersion !== undefined)("in Chromium", () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let watched: Watched;
  // What runs in the page is text here, for it has other types than Node.
  const focused = () => page.evaluate<string>("document.activeElement.id");
  const focusedText = () => page.evaluate<string>("document.activeElement.textContent.trim()");
  const text = async (selector: string): Promise<string> =>
    (await page.innerText(selector)).replace(/\s+/g, " ");
  const rowsOf = async (id: string): Promise<string[]> =>
    (await page.locator(`#${id}-content tbody tr`).allInnerTexts()).map((row) => row.replace(/\s+/g, " "));
  const signIn = async (token: string) => {
    await page.locator("#token").fill(token);
    await page.keyboard.press("Enter");
  };
  /** As when somebody comes back to the tab: it asks at once. */
  const askNow = () => page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");

  beforeAll(async () => {
    browser = await startChromium();
    console.info(chromiumVersion);
    context = await browser.newContext({ ignoreHTTPSErrors: true, colorScheme: "light" });
    page = await context.newPage();
    watched = watch(page);
    await page.goto(`${origins[0]}/page`);
  });
  afterAll(async () => {
    await browser?.close();
  });

  it("asks for a token, and says what is the matter with one that will not do", async () => {
    expect(await focused()).toBe("token");
    expect(await page.locator("#content").isVisible()).toBe(false);
    await signIn("not a token");
    expect(await text("#problem")).toContain("That is no token");
    await signIn("unknown");
    await page.getByText("The cluster does not know this token").waitFor();
    await signIn(stranger);
    await page.getByText("--clusterrole=shieldx-page-reader --serviceaccount=").waitFor();
    expect(await focused()).toBe("token");
    expect(await page.locator("#token").inputValue()).toBe("");
    expect(await page.locator("tbody tr").count()).toBe(0);
  });

  it("shows to who may see it what policies found, by policy, namespace and owner, and over time", async () => {
    await signIn(reader);
    await page.locator("#content").waitFor({ state: "visible" });
    expect(await focused()).toBe("title");
    expect(await page.locator("#sign-in").isVisible()).toBe(false);
    expect(await text("#overview-content")).toMatch(/policies in force 2 of 3 of these, tenants' 1 of 1/i);
    expect(await rowsOf("policies")).toEqual([
      expect.stringMatching(/^guarded 5 \d+ \d+ 0 podSecurity deny Webhook yes$/),
      expect.stringMatching(/^owned not audited .* cel deny Webhook no: /),
      expect.stringMatching(/^warehouse\/labelled not audited .* cel warn Webhook yes$/),
    ]);
    expect(await rowsOf("namespaces")).toEqual([
      expect.stringMatching(/^shop 4 /),
      expect.stringMatching(/^warehouse 1 /),
    ]);
    expect(await rowsOf("owners")).toEqual([
      expect.stringMatching(/^web Deployment shop 4 /),
      expect.stringMatching(/^alone Pod warehouse 1 /),
    ]);
    const chart = page.getByRole("img", {
      name: /^Violations over time, everything: 5 in the last hour, at most 700/,
    });
    expect(await chart.isVisible()).toBe(true);
    expect(await chart.locator(".bar").count()).toBeGreaterThanOrEqual(4);
    expect(await chart.locator(".gap").count()).toBe(2);
  });

  it("shows versions on their way in, with what they change and find, and exceptions by their end", async () => {
    const rollout = page.getByRole("article", { name: "Rollout of owned" });
    expect(await rollout.innerText()).toContain("Step shadow: acts in 0 % of the namespaces");
    await rollout.getByText("changes from the version in force").click();
    expect(await rollout.innerText()).toContain("spec.validations[0].expression");
    expect(await rollout.locator("ins").first().innerText()).toContain("'team' in object.metadata");
    await rollout.getByText("that it refused or would refuse").click();
    expect(await rollout.innerText()).toContain("ConfigMap shop/prices");
    expect(await rollout.innerText()).toContain("Such requests by namespace: shop 1.");
    expect(await rowsOf("exceptions")).toEqual([
      expect.stringMatching(/^shop\/for-long .*, in (19|20) days active /),
      expect.stringMatching(/^shop\/for-a-moment .* (just now|ago) expired /),
    ]);
  });

  it("shows what people write in the cluster as the text it is", async () => {
    const shown = `${await text("#rollouts-content")} ${await text("#exceptions-content")}`;
    for (const at of ["owner", "reason", "team"]) {
      expect(shown).toContain(`<img src=x onerror="window.harmed='${at}'"><script>`);
      expect(shown).toContain(`{{${at}}}`);
    }
    expect(await page.locator("#content img, #content script, #content iframe").count()).toBe(0);
    expect(await page.evaluate("'harmed' in window")).toBe(false);
    // Even what is put into the document from outside neither becomes markup nor is run.
    const injected = `(() => {
      const refused = [];
      for (const put of [
        () => { document.getElementById("problem").innerHTML = "<b>markup</b>"; },
        () => {
          const script = document.createElement("script");
          script.append("window.harmed = 'injected'");
          document.body.append(script);
          script.remove();
        },
      ]) {
        try { put(); } catch (error) { refused.push(error.name); }
      }
      return { refused, isHarmed: "harmed" in window, markup: document.querySelectorAll("b").length };
    })()`;
    expect(await page.evaluate(injected)).toMatchObject({ isHarmed: false, markup: 0 });
    // The browser's complaints about that.
    watched.complaints.splice(0);
  });

  it("is reached and used by keyboard alone", async () => {
    // Loaded anew it has forgotten the token, and begins where that is typed.
    await page.reload();
    expect(await page.locator("#content").isVisible()).toBe(false);
    expect(await focused()).toBe("token");
    await page.keyboard.insertText(reader);
    await page.keyboard.press("Enter");
    await page.locator("#content").waitFor({ state: "visible" });
    expect(await focused()).toBe("title");
    await page.keyboard.press("Shift+Tab");
    expect(await focusedText()).toBe("Forget the token");
    await page.keyboard.press("Shift+Tab");
    expect(await focusedText()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("main");
    const tabTo = async (isThere: () => Promise<boolean>): Promise<void> => {
      for (let presses = 0; presses < 80; presses++) {
        await page.keyboard.press("Tab");
        if (await isThere()) return;
      }
      throw new Error("it is not reached by Tab");
    };
    const isFocused = (label: string) => async () => (await focusedText()) === label;
    // What has the focus shows it.
    await tabTo(isFocused("Policies"));
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await tabTo(async () => (await focused()) === "series");
    await page.keyboard.press("ArrowDown");
    await page.getByRole("img", { name: /^Violations over time, earlier-policy: / }).waitFor();
    await tabTo(isFocused("The same as a table"));
    await page.keyboard.press("Enter");
    expect(await text("#history-content table")).toContain("not counted");
    const choose = async (key: "ArrowUp" | "ArrowDown") => {
      await page.keyboard.press(key);
      return (await rowsOf("policies")).map((row) => row.split(" ")[0]);
    };
    await tabTo(async () => (await focused()) === "whose-policies");
    expect(await page.getByLabel("Whose policies").inputValue()).toBe("all");
    expect(await choose("ArrowDown")).toEqual(["guarded", "owned"]);
    expect(await text("#policies-content")).toContain("1–2 of 2; 2 in all");
    expect(await choose("ArrowDown")).toEqual(["warehouse/labelled"]);
    // What comes meanwhile does not take the choice back, nor the focus.
    await askNow();
    expect(await page.getByLabel("Whose policies").inputValue()).toBe("tenants");
    expect(await focused()).toBe("whose-policies");
    await choose("ArrowUp");
    expect(await choose("ArrowUp")).toHaveLength(3);
    await tabTo(async () => (await focused()) === "filter-policies");
    await page.keyboard.type("webhook owned");
    expect(await rowsOf("policies")).toHaveLength(1);
    for (let letters = 0; letters < 13; letters++) await page.keyboard.press("Backspace");
    await tabTo(isFocused("Policy"));
    await page.keyboard.press("Enter");
    expect(await page.locator("#policies-content th[aria-sort=ascending]").innerText()).toContain("Policy");
    await page.keyboard.press("Enter");
    expect((await rowsOf("policies")).map((row) => row.split(" ")[0])).toEqual([
      "warehouse/labelled",
      "owned",
      "guarded",
    ]);
    await tabTo(isFocused("Violating objects"));
    await page.keyboard.press("Enter");
    expect((await rowsOf("policies")).map((row) => row.split(" ")[0])).toEqual([
      "guarded",
      "owned",
      "warehouse/labelled",
    ]);
  });

  it.each(["light", "dark"] as const)(
    "has nothing that keeps people out, in %s colours",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(axe.source);
      const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const found = await page.evaluate<AxeResults>(
        `axe.run(document, { runOnly: ${JSON.stringify(rules)} })`,
      );
      const said = found.violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
      );
      expect(said).toEqual([]);
      expect(found.passes.length).toBeGreaterThan(20);
    },
  );

  it("keeps up with the cluster, without being loaded anew", async () => {
    await mustKubectl(cluster, ["delete", "pod", "alone", "-n", "warehouse", "--grace-period=0", "--force"]);
    await waitFor("the page without it", async () => {
      await askNow();
      return (await rowsOf("namespaces")).length === 1;
    });
    expect(await text("#overview-content")).toMatch(/violating objects 4/i);
    // What somebody had opened, sorted and chosen is as it was.
    expect(await page.locator("#series").inputValue()).toBe("policies/earlier-policy");
    expect(await page.locator("#history-content details").getAttribute("open")).toBe("");
    expect(await page.locator("#policies-content th[aria-sort=descending]").innerText()).toContain(
      "Violating",
    );
  });

  it("has asked nobody else, and keeps the token nowhere", async () => {
    expect(watched.requests.length).toBeGreaterThan(4);
    for (const url of watched.requests) {
      expect(new URL(url).origin).toBe(origins[0]);
      expect(url).not.toContain(reader.slice(0, 20));
    }
    expect(await page.evaluate("[localStorage.length, sessionStorage.length]")).toEqual([0, 0]);
    expect(await page.content()).not.toContain(reader.slice(-20));
    expect(await context.cookies()).toEqual([]);
    expect(page.url()).not.toContain(reader.slice(-20));
    expect(watched.complaints).toEqual([]);
  });

  it("takes away what it showed once the right is gone, and when the token is to be forgotten", async () => {
    await page.getByRole("button", { name: "Forget the token" }).click();
    expect(await page.locator("#content").isVisible()).toBe(false);
    expect(await page.locator("tbody tr").count()).toBe(0);
    await signIn(reader);
    await page.locator("#content").waitFor({ state: "visible" });
    await mustKubectl(cluster, ["delete", "clusterrolebinding", "page-reader"]);
    // A yes is remembered for ten seconds.
    await waitFor("asked for another token", async () => {
      await askNow();
      return await page.locator("#sign-in").isVisible();
    });
    expect(await text("#problem")).toContain("This token may not see the page");
    expect(await page.evaluate("document.getElementById('content').textContent")).not.toContain("shop");
    expect(await page.locator("tbody tr").count()).toBe(0);
  });
});
