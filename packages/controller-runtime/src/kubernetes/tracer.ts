export type SpanValue = string | number | boolean | readonly string[];
export type SpanAttributes = Readonly<Record<string, SpanValue | undefined>>;

/** Work under way, as a trace shows it. It ends with the function it was made for. */
export interface Span {
  /** What W3C Trace Context calls this span: the value of a `traceparent` header. */
  readonly traceparent: string;
  set(name: string, value: SpanValue): void;
  /** Marks it as failed, for errors that are not thrown. */
  fail(error: unknown): void;
}

/**
 * What libraries report their work to, where somebody wants traces. Without a tracer nothing is called: whoever reports
 * asks `tracer === undefined` first, so that being untraced costs one comparison.
 */
export interface Tracer {
  /**
   * Runs `work` as a span: the root of a trace, or part of the one that `parent` (a `traceparent`) names. What `work`
   * throws marks the span as failed and is thrown on.
   */
  trace<T>(
    name: string,
    about: { readonly attributes?: SpanAttributes; readonly parent?: string | undefined },
    work: (span: Span) => Promise<T>,
  ): Promise<T>;
  /** As `trace`, but only within the span of a caller, also an asynchronous one; else `work` runs untraced. */
  step<T>(name: string, attributes: SpanAttributes, work: (span: Span | undefined) => Promise<T>): Promise<T>;
}
