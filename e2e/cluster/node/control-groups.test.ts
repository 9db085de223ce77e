import { describe, expect, it } from "vitest";
import { parseHierarchies } from "./control-groups.ts";

describe("parseHierarchies", () => {
  it("finds the one hierarchy of a version 2 machine", () => {
    const mountInfo = [
      "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
      "30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec shared:4 - cgroup2 cgroup2 rw,nsdelegate",
    ].join("\n");
    expect(parseHierarchies(mountInfo)).toEqual([
      { mountPoint: "/sys/fs/cgroup", version: 2, controllers: [] },
    ]);
  });

  it("finds every hierarchy of a hybrid machine once, with its controllers", () => {
    const mountInfo = [
      "31 30 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw",
      "32 30 0:28 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,name=systemd",
      "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup rw,cpu,cpuacct",
      "34 30 0:30 / /sys/fs/cgroup/cpuset rw shared:8 - cgroup cgroup rw,cpuset",
      "99 98 0:30 / /mnt/again rw - cgroup cgroup rw,cpuset",
    ].join("\n");
    expect(parseHierarchies(mountInfo)).toEqual([
      { mountPoint: "/sys/fs/cgroup/unified", version: 2, controllers: [] },
      { mountPoint: "/sys/fs/cgroup/systemd", version: 1, controllers: ["name=systemd"] },
      { mountPoint: "/sys/fs/cgroup/cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"] },
      { mountPoint: "/sys/fs/cgroup/cpuset", version: 1, controllers: ["cpuset"] },
    ]);
  });

  it("finds nothing where nothing is mounted", () => {
    expect(parseHierarchies("")).toEqual([]);
  });
});
