export * from "./logger.ts";
export * from "./objects.ts";
export * from "./resource-type.ts";
export * from "./resources.ts";
export * from "./tracer.ts";
