import { Connection, type Outcome, tokenIn } from "./connection.ts";
import { byId } from "./dom.ts";
import { View } from "./view.ts";

/** Between two questions while somebody looks. */
const ASK_EVERY_MS = 15_000;

const form = byId<HTMLFormElement>("sign-in");
const input = byId<HTMLInputElement>("token");
const problem = byId("problem");
const content = byId("content");
const state = byId("state");
const signOut = byId<HTMLButtonElement>("sign-out");

/** What lasts as long as one token is used; it is nowhere else, so that a reload forgets it. */
interface Session {
  readonly connection: Connection;
  readonly view: View;
  readonly ended: AbortController;
}
let session: Session | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let isAsking = false;

function tell(text: string | undefined): void {
  problem.hidden = text === undefined;
  if (problem.textContent !== (text ?? "")) problem.textContent = text ?? "";
  if (text === undefined) input.removeAttribute("aria-invalid");
}

/** Takes away everything that was shown, and asks for a token. */
function begin(text?: string): void {
  session?.ended.abort();
  session = undefined;
  clearTimeout(timer);
  new View();
  content.hidden = true;
  signOut.hidden = true;
  state.textContent = "";
  form.hidden = false;
  input.value = "";
  tell(text);
  if (text !== undefined) input.setAttribute("aria-invalid", "true");
  input.focus();
}

function take(current: Session, outcome: Outcome): void {
  switch (outcome.kind) {
    case "refused":
      begin(outcome.problem);
      return;
    case "failed":
      tell(outcome.problem);
      return;
    case "data":
      current.view.show(outcome.data, outcome.nowMs);
      break;
    case "unchanged":
      current.view.tick(outcome.nowMs);
      break;
    default:
      outcome satisfies never;
  }
  tell(undefined);
  if (!content.hidden) return;
  form.hidden = true;
  content.hidden = false;
  signOut.hidden = false;
  state.textContent = "Signed in; what is shown is kept up to date.";
  byId("title").focus();
}

async function ask(): Promise<void> {
  const current = session;
  if (current === undefined || isAsking) return;
  clearTimeout(timer);
  isAsking = true;
  const outcome = await current.connection.ask(current.ended.signal);
  isAsking = false;
  // Another token, or none, by now.
  if (session !== current) {
    if (session !== undefined) void ask();
    return;
  }
  take(current, outcome);
  if (session === current && document.visibilityState === "visible")
    timer = setTimeout(() => void ask(), ASK_EVERY_MS);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = tokenIn(input.value);
  if (token === undefined) {
    begin("That is no token: paste what kubectl create token printed, and nothing else.");
    return;
  }
  input.value = "";
  session?.ended.abort();
  session = { connection: new Connection(token), view: new View(), ended: new AbortController() };
  tell(undefined);
  void ask();
});
signOut.addEventListener("click", () => begin());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") void ask();
  else clearTimeout(timer);
});
// A page that is taken back from the browser's cache of left pages would still show what it held.
window.addEventListener("pagehide", () => begin());
begin();
