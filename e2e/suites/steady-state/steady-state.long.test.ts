import { steadyStateSuite } from "./steady-state.ts";

steadyStateSuite({ policies: 400, exceptions: 600, pods: 100, seconds: 600 });
