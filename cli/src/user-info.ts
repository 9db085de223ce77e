import * as z from "zod";

/** Whose request it was (`authentication.k8s.io/v1` UserInfo), as reviews and audit events have it. */
export const userInfo = z
  .looseObject({
    username: z.string().optional(),
    uid: z.string().optional(),
    groups: z.array(z.string()).optional(),
    extra: z.record(z.string(), z.array(z.string())).optional(),
  })
  .default({});
