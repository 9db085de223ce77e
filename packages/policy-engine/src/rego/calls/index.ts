export { CallAnswers } from "./answers.ts";
export type { CallOutcome, CallsAtHand, HttpCall, HttpResponse, SendCall } from "./call.ts";
export {
  type AllowedHost,
  AllowedHostError,
  hostOf,
  isAllowed,
  parseAllowedHost,
  shownHost,
} from "./hosts.ts";
