// A collector of traces on loopback: takes what an exporter sends by OTLP/HTTP, JSON or protobuf, and decodes it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** Numbers as OTLP has them: 2 server, 3 client, 1 internal. */
  readonly kind: number;
  readonly startNano: bigint;
  readonly endNano: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 2 is an error. */
  readonly statusCode: number;
  readonly service: string;
}

export interface OtlpReceiver extends AsyncDisposable {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly contentTypes: Set<string>;
  /** Status that requests are answered with from now on; what is refused is not kept. */
  answerWith(status: number): void;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const contentTypes = new Set<string>();
  let status = 200;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      const type = request.headers["content-type"] ?? "";
      if (status === 200 && request.url === "/v1/traces") {
        const sent = Buffer.concat(chunks);
        const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
        contentTypes.add(type);
        spans.push(...(type.includes("json") ? fromJson(body.toString("utf8")) : fromProtobuf(body)));
      }
      response.writeHead(request.url === "/v1/traces" ? status : 404, { "content-type": type });
      response.end(type.includes("json") ? "{}" : "");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    contentTypes,
    answerWith: (next) => {
      status = next;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close").catch(() => undefined);
    },
  };
}

interface JsonAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface JsonSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly JsonAttribute[];
  readonly status: { readonly code?: number };
}

function fromJson(text: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(text) as {
    resourceSpans: { resource: { attributes: JsonAttribute[] }; scopeSpans: { spans: JsonSpan[] }[] }[];
  };
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || undefined,
        kind: span.kind,
        startNano: BigInt(span.startTimeUnixNano),
        endNano: BigInt(span.endTimeUnixNano),
        attributes: jsonAttributes(span.attributes),
        statusCode: span.status.code ?? 0,
        service: String(jsonAttributes(resource.attributes)["service.name"]),
      })),
  );
}

function jsonAttributes(attributes: readonly JsonAttribute[]): Record<string, unknown> {
  const read = ([type, value]: [string, unknown]): unknown =>
    type === "arrayValue"
      ? (value as { values: Record<string, unknown>[] }).values.map((item) => read(Object.entries(item)[0]!))
      : type === "intValue"
        ? Number(value)
        : value;
  return Object.fromEntries(attributes.map(({ key, value }) => [key, read(Object.entries(value)[0]!)]));
}

type Field = { readonly number: number; readonly value: bigint | Buffer };

/** The wire format: https://protobuf.dev/programming-guides/encoding/ */
function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        at += 8;
        yield { number, value: bytes.readBigUInt64LE(at - 8) };
        break;
      case 2: {
        const length = Number(varint());
        at += length;
        yield { number, value: bytes.subarray(at - length, at) };
        break;
      }
      case 5:
        at += 4;
        yield { number, value: BigInt(bytes.readUInt32LE(at - 4)) };
        break;
      default:
        throw new Error(`wire type ${tag & 7} at byte ${at}`);
    }
  }
}

const parts = (bytes: Buffer, number: number): Buffer[] =>
  [...fieldsOf(bytes)].filter((field) => field.number === number).map(({ value }) => value as Buffer);
const part = (bytes: Buffer, number: number): Buffer => parts(bytes, number)[0] ?? Buffer.alloc(0);
const integer = (bytes: Buffer, number: number): bigint =>
  ([...fieldsOf(bytes)].find((field) => field.number === number)?.value as bigint | undefined) ?? 0n;

/** Field numbers are those of opentelemetry/proto/trace/v1/trace.proto. */
function fromProtobuf(body: Buffer): ReceivedSpan[] {
  return parts(body, 1).flatMap((resourceSpans) => {
    const service = String(protobufAttributes(parts(part(resourceSpans, 1), 1))["service.name"]);
    return parts(resourceSpans, 2)
      .flatMap((scopeSpans) => parts(scopeSpans, 2))
      .map((span) => ({
        traceId: part(span, 1).toString("hex"),
        spanId: part(span, 2).toString("hex"),
        parentSpanId: part(span, 4).toString("hex") || undefined,
        name: part(span, 5).toString("utf8"),
        kind: Number(integer(span, 6)),
        startNano: integer(span, 7),
        endNano: integer(span, 8),
        attributes: protobufAttributes(parts(span, 9)),
        statusCode: Number(integer(part(span, 15), 3)),
        service,
      }));
  });
}

function protobufAttributes(pairs: readonly Buffer[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map((pair) => [part(pair, 1).toString("utf8"), anyValue(part(pair, 2))]));
}

function anyValue(bytes: Buffer): unknown {
  const [field] = [...fieldsOf(bytes)];
  switch (field?.number) {
    case 1:
      return (field.value as Buffer).toString("utf8");
    case 2:
      return field.value === 1n;
    case 3:
      return Number(field.value);
    case 5:
      return parts(field.value as Buffer, 1).map(anyValue);
    default:
      return undefined;
  }
}
