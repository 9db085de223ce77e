export { type BindAddress, parseBindAddress } from "./bind-address.ts";
export { type Certificate, type CertificateSource, certificateFiles, selfSigned } from "./certificate.ts";
export type { ExtraHandler, HandlerAnswer, HandlerRequest } from "./extra-handler.ts";
export { type CheckResult, HealthChecks, type ReadyCheck } from "./health.ts";
export { createHealthServer } from "./health-server.ts";
export { createMetricsServer, type ServedPath } from "./metrics-server.ts";
export { type Access, ScrapeAccess, type ScrapeAccessOptions } from "./scrape-access.ts";
