// What tests share that put the same questions to OPA's server and to ours.
import { Agent, request as httpRequest } from "node:http";

export interface Question {
  readonly method?: string;
  readonly path: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

// Its connections keep no process alive.
const agent = new Agent({ keepAlive: true });

/** What is compared: numbers of time and texts of the evaluator are not; whether they are there is. */
export function comparable({ status, body }: Answer): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body, (_, value: unknown, context?: { source?: string }) =>
      typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
        ? `number ${context?.source}`
        : value,
    );
  } catch {
    parsed = status >= 400 ? "no JSON" : body;
  }
  if (status === 405) return { status };
  if (status >= 400 && typeof parsed === "object" && parsed !== null && "code" in parsed) {
    const {
      code,
      errors = [],
      message,
    } = parsed as { code: string; message: string; errors?: { code: string }[] };
    return {
      status,
      code,
      errors: errors.map((error) => error.code),
      ...(status === 404 ? { message } : {}),
    };
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    const { decision_id: _, ...rest } = parsed as Record<string, unknown>;
    return { status, body: rest };
  }
  return { status, body: parsed };
}

export function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return Array.isArray(value) ? value.map(sorted) : value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, sorted(item)]);
}

/** node:http sends paths as they are, which fetch does not. */
export function askOpa(
  url: string,
  { method = "POST", path, body = "", headers = {} }: Question,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sending = httpRequest(
      {
        ...{ hostname, port, path, method, agent },
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    sending.on("error", reject);
    sending.end(body);
  });
}
