import { request } from "node:https";

/** Where batches go. */
export interface LogService {
  /** `https://…`; batches are POSTed to `<url>/logs`, as OPA does. */
  readonly url: URL;
  /** PEM of who signs the service's certificate; undefined: the CAs Node knows. */
  readonly ca: string | undefined;
  /** Read for each batch, as tokens in Pods are renewed. */
  readonly token: () => Promise<string | undefined>;
}

/** What came of one attempt. */
export type Sent =
  | { readonly kind: "taken" }
  | { readonly kind: "tooLarge" }
  /** Trying again may help. */
  | { readonly kind: "failed"; readonly why: string };

const timeoutMs = 15_000;

/** Sends one batch. Never throws. */
export async function send(service: LogService, body: Buffer, signal: AbortSignal): Promise<Sent> {
  let token: string | undefined;
  try {
    token = await service.token();
  } catch (error) {
    return { kind: "failed", why: `the token cannot be read: ${messageOf(error)}` };
  }
  const url = new URL(service.url);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/logs`;
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ kind: "failed", why: messageOf(error) });
    const sending = request(
      url,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-encoding": "gzip",
          "content-length": body.length,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        minVersion: "TLSv1.2",
        timeout: timeoutMs,
        signal,
        ...(service.ca === undefined ? {} : { ca: service.ca }),
      },
      (response) => {
        // What it says besides the status is of no use here.
        response.resume();
        response.once("error", fail);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve({ kind: "taken" });
        else if (status === 413) resolve({ kind: "tooLarge" });
        else resolve({ kind: "failed", why: `${url.host} answered ${status}` });
      },
    );
    sending.once("timeout", () => sending.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)));
    sending.once("error", fail);
    sending.end(body);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
