export { CallAnswers } from "./answers.ts";
export type { CallOutcome, CallsAtHand, HttpCall, SendCall } from "./call.ts";
export { type AllowedHost, AllowedHostError, parseAllowedHost } from "./hosts.ts";
