export * from "./advance.ts";
export * from "./certificate.ts";
export * from "./errors.ts";
export * from "./issue.ts";
export * from "./renewal.ts";
export * from "./secret-format.ts";
export * from "./trust-bundle.ts";
