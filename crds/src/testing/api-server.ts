/** Dry-run creates straight at an API server, for tests that compare thousands of its verdicts with ours. */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { parse } from "yaml";

/** What the API server said to one object. */
export interface Verdict {
  code: number;
  body: { message?: string; reason?: string; spec?: unknown };
}

/** An API server reached with the admin credentials of a kubeconfig. */
export interface ApiServerUnderTest {
  /** Creates `object` with dryRun=All and fieldValidation=Strict. */
  dryRunCreate(path: string, object: unknown): Promise<Verdict>;
  close(): void;
}

interface Kubeconfig {
  clusters: [
    { cluster: { server: string; "certificate-authority-data"?: string; "certificate-authority"?: string } },
  ];
  users: [{ user: Record<string, string> }];
}

async function dataOrFile(
  from: Record<string, string | undefined>,
  name: string,
): Promise<Buffer | undefined> {
  const data = from[`${name}-data`];
  if (data !== undefined) return Buffer.from(data, "base64");
  const file = from[name];
  return file === undefined ? undefined : readFile(file);
}

/** Reads the first cluster and user of `kubeconfig`. */
export async function apiServer(kubeconfig: string): Promise<ApiServerUnderTest> {
  const { clusters, users } = parse(await readFile(kubeconfig, "utf8")) as Kubeconfig;
  const { cluster } = clusters[0];
  const { user } = users[0];
  const [ca, cert, key] = await Promise.all([
    dataOrFile(cluster, "certificate-authority"),
    dataOrFile(user, "client-certificate"),
    dataOrFile(user, "client-key"),
  ]);
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  return {
    close: () => agent.destroy(),
    dryRunCreate: (path, object) =>
      post(agent, new URL(path, cluster.server), JSON.stringify(object), user.token),
  };
}

function post(agent: Agent, url: URL, body: string, token: string | undefined): Promise<Verdict> {
  url.searchParams.set("dryRun", "All");
  url.searchParams.set("fieldValidation", "Strict");
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const call = request(url, { agent, method: "POST", headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        try {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ code: response.statusCode ?? 0, body: JSON.parse(text) as Verdict["body"] });
        } catch (error) {
          reject(error);
        }
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}
