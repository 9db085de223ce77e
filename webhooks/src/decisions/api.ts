/** OPA's REST API over what is served: which paths there are, and what each answers. */
import type { Span, Tracer } from "@shieldx/controller-runtime";
import type { DecisionSource, PathPart, RegoJson } from "@shieldx/policy-engine/decisions";
import type { HttpAnswer, HttpRequest, HttpRoutes } from "../server/http-routes.ts";
import type { CallerAccess } from "./access.ts";
import { answerCompile } from "./compile.ts";
import { canonicalPath, dataPath, referenceText } from "./data-path.ts";
import { type Answered, decide, errorsOf, mustHaveTime, onShare } from "./decide.ts";
import { jsonText } from "./json-text.ts";
import type { RefusalReason } from "./metrics.ts";
import { answerOfFailure, errorAnswer, OpaError } from "./opa-error.ts";
import { inputOfBody, inputOfQuery, isOn, member, membersOfBody, type ReaderParts } from "./question.ts";

export interface DecisionApiParts extends ReaderParts {
  /** What is served now; undefined while no policy asks to be: then there is no such API. */
  readonly source: () => DecisionSource | undefined;
  /** What keeps a policy that asks to be served from being so; undefined when nothing does. */
  readonly problem: () => string | undefined;
  readonly access: Pick<CallerAccess, "admit">;
  readonly version: string;
  readonly tracer?: Tracer | undefined;
}

/** What `POST /` asks for: OPA's default decision. */
const defaultDecision: readonly PathPart[] = ["system", "main"];

const folders = ["/v0/data", "/v1/data", "/v1/compile", "/v1/policies", "/v1/query", "/health"] as const;
const files = ["/", "/v1/config", "/v1/status"] as const;
type Route = (typeof folders)[number] | (typeof files)[number];

function routeOf(pathname: string): Route | undefined {
  return (
    files.find((path) => path === pathname) ??
    folders.find((path) => pathname === path || pathname.startsWith(`${path}/`))
  );
}

export function decisionApi(parts: DecisionApiParts): HttpRoutes {
  return {
    budget: parts.budget,
    labelOf: (pathname) => (parts.source() === undefined ? undefined : routeOf(pathname)),
    failed: answerOfFailure,
    answer: async (request) => {
      const source = parts.source();
      const route = routeOf(request.url.pathname);
      if (source === undefined || route === undefined) throw notFound(request.url.pathname);
      // What a probe may ask is open: it says nothing but whether this works.
      if (request.url.pathname === "/health") return health(parts, request.url);
      return await new Exchange(parts, source, request, performance.now()).answer(route);
    },
  };
}

function notFound(pathname: string): OpaError {
  return new OpaError(404, "resource_not_found", `nothing is served at ${pathname.slice(0, 128)}`);
}

function health(parts: DecisionApiParts, url: URL): HttpAnswer {
  const problem = isOn(url, "bundles") || isOn(url, "bundle") ? parts.problem() : undefined;
  if (problem === undefined) return { status: 200, body: "{}\n" };
  return {
    status: 500,
    body: jsonText({ error: `one or more bundles are not activated: ${problem}` }, false),
  };
}

const refusalReasons: Readonly<Record<number, RefusalReason>> = {
  401: "unauthenticated",
  403: "forbidden",
  429: "too-many-callers",
  503: "no-authority",
};

/** One request, from who sends it to what it is answered. */
class Exchange {
  readonly #parts: DecisionApiParts;
  readonly #source: DecisionSource;
  readonly #request: HttpRequest;
  readonly #startedAt: number;

  constructor(parts: DecisionApiParts, source: DecisionSource, request: HttpRequest, startedAt: number) {
    this.#parts = parts;
    this.#source = source;
    this.#request = request;
    this.#startedAt = startedAt;
  }

  async answer(route: Route): Promise<HttpAnswer> {
    const path = dataPath(this.#request.url.pathname.slice(route.length));
    const username = await this.#admit(route === "/" ? "/" : canonicalPath(route, path));
    const { tracer } = this.#parts;
    const traceparent = this.#request.headers.traceparent;
    const answer = await (tracer === undefined
      ? this.#answer(route, path, username, undefined)
      : tracer.trace(
          `decide ${route}`,
          {
            attributes: { "url.path": this.#request.url.pathname, "enduser.id": username },
            ...(typeof traceparent === "string" ? { parent: traceparent } : {}),
          },
          (span) => this.#answer(route, path, username, span),
        ));
    const requestId = this.#requestId;
    return requestId === undefined
      ? answer
      : { ...answer, headers: { ...answer.headers, "x-request-id": requestId } };
  }

  async #admit(path: string): Promise<string> {
    try {
      const { username } = await this.#parts.access.admit(
        this.#request,
        this.#request.method.toLowerCase(),
        path,
      );
      return username;
    } catch (error) {
      const reason = error instanceof OpaError ? refusalReasons[error.status] : undefined;
      if (reason !== undefined) this.#parts.metrics.refusals.inc({ reason });
      throw error;
    }
  }

  async #answer(
    route: Route,
    path: readonly PathPart[],
    username: string,
    span: Span | undefined,
  ): Promise<HttpAnswer> {
    const { method, url } = this.#request;
    mustHaveTime(this.#parts);
    const ask = (at: readonly PathPart[], input: Parameters<typeof this.ask>[1]) =>
      this.ask(at, input, username, span);
    switch (route) {
      case "/v1/data":
        if (method === "GET") return this.#v1(ask(path, inputOfQuery(url, this.#parts)));
        if (method === "POST") {
          const input = member(await membersOfBody(this.#request, this.#parts), "input");
          return this.#v1(ask(path, input), input === undefined);
        }
        throw readOnly(method);
      case "/v0/data":
        if (method !== "POST") throw readOnly(method);
        return this.#v0(path, ask(path, await inputOfBody(this.#request, this.#parts)));
      case "/":
        if (method !== "POST") throw notFound(url.pathname);
        return this.#v0(defaultDecision, ask(defaultDecision, await inputOfBody(this.#request, this.#parts)));
      case "/health":
        if (method !== "GET") throw readOnly(method);
        return healthOf(path, ask(["system", "health", ...path], {}));
      case "/v1/compile":
        if (method !== "POST") throw readOnly(method);
        if (path.length > 0) throw noFilters();
        return answerCompile(await membersOfBody(this.#request, this.#parts), async (at, input) => {
          // Whose path RBAC was asked about is not the rule's.
          await this.#admit(canonicalPath("/v1/data", at));
          return ask(at, input);
        });
      case "/v1/query":
        throw new OpaError(
          501,
          "invalid_operation",
          "queries written by the caller are not supported: make a rule of it in a ShieldPolicy and ask for that under /v1/data",
        );
      case "/v1/policies":
        if (method !== "GET") throw readOnly(method);
        throw new OpaError(
          404,
          "resource_not_found",
          "policies are not shown here: kubectl get shieldpolicies",
        );
      default:
        throw new OpaError(404, "resource_not_found", "the configuration is not shown here");
    }
  }

  get #requestId(): string | undefined {
    const { "x-request-id": id } = this.#request.headers;
    return typeof id === "string" && /^[\x21-\x7e]{1,128}$/.test(id) ? id : undefined;
  }

  ask(
    path: readonly PathPart[],
    input: Parameters<typeof decide>[2]["input"],
    username: string,
    span: Span | undefined,
  ): Answered {
    const answered = decide(this.#parts, this.#source, {
      path,
      input,
      isStrict: isOn(this.#request.url, "strict-builtin-errors"),
      requestedBy: this.#request.remote,
      username,
      requestId: this.#requestId,
      span,
      startedAt: this.#startedAt,
    });
    const problem = answered.decision.kind === "missing" ? this.#parts.problem() : undefined;
    if (problem === undefined) return answered;
    // Nothing there could mean "allowed" to whoever asks; the policy that is not served may have said no.
    throw new OpaError(
      503,
      "internal_error",
      `nothing is served there, and not everything that should be is: ${problem}`,
    );
  }

  #v1({ decisionId, decision, metrics }: Answered, isWithoutInput = false): HttpAnswer {
    if (decision.kind === "error") return evaluationFailed(decision);
    const { url } = this.#request;
    const wantsMetrics = isOn(url, "metrics") || isOn(url, "instrument");
    const body: Record<string, RegoJson> = {
      decision_id: decisionId,
      ...(isOn(url, "provenance") ? { provenance: this.#provenance() } : {}),
      ...(wantsMetrics ? { metrics: { ...metrics } } : {}),
      ...(decision.kind === "value" ? { result: decision.value } : {}),
      ...(isWithoutInput ? { warning: noInput } : {}),
    };
    return this.#written(body);
  }

  #v0(path: readonly PathPart[], { decision }: Answered): HttpAnswer {
    switch (decision.kind) {
      case "value":
        return this.#written(decision.value);
      case "error":
        return evaluationFailed(decision);
      default: {
        const what = decision.kind === "missing" ? "document missing" : "document undefined";
        throw new OpaError(404, "undefined_document", `${what}: ${referenceText(path)}`);
      }
    }
  }

  #written(value: RegoJson): HttpAnswer {
    const isPretty = isOn(this.#request.url, "pretty");
    return { status: 200, body: onShare(this.#parts, () => jsonText(value, isPretty)) };
  }

  #provenance(): RegoJson {
    const bundles = Object.fromEntries(
      [...this.#source.revisions].map(([name, revision]) => [name, { revision }]),
    );
    const build = { build_commit: "", build_timestamp: "", build_hostname: "" };
    return { version: this.#parts.version, ...build, bundles };
  }
}

const noInput = { code: "api_usage_warning", message: "'input' key missing from the request" };

function readOnly(method: string): OpaError {
  return new OpaError(
    405,
    "invalid_operation",
    `method ${method.slice(0, 16)} is not allowed: policies and data come from ShieldPolicy objects (kubectl apply)`,
  );
}

/** OPA makes filters for databases there, of the rule that the path names. */
function noFilters(): OpaError {
  return new OpaError(
    501,
    "invalid_operation",
    "rules are not compiled to filters: post to /v1/compile itself, with the rule in the query, or to /v1/data and the rule's path",
  );
}

function evaluationFailed(decision: Parameters<typeof errorsOf>[0]): HttpAnswer {
  const error = new OpaError(500, "internal_error", "error(s) occurred while evaluating query");
  return errorAnswer(error, errorsOf(decision));
}

/** `/health/live` asks the rule `data.system.health.live`. */
function healthOf(path: readonly PathPart[], { decision }: Answered): HttpAnswer {
  if (decision.kind === "value" && decision.value === true) return { status: 200, body: "{}\n" };
  const what =
    decision.kind === "undefined" || decision.kind === "missing"
      ? "was undefined"
      : "returned unexpected value";
  const error = `health check (${referenceText(["system", "health", ...path])}) ${what}`;
  return { status: 500, body: jsonText({ error }, false) };
}
