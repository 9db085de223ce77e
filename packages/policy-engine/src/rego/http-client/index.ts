export { type CallResult, HttpClient, type HttpClientOptions } from "./client.ts";
