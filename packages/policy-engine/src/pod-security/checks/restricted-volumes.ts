import { type PodSecurityCheck, plural, quoted, sortedUnique } from "../check.ts";
import type { VolumeView } from "../pod-view.ts";

const permitted = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
] as const;

/** In the order in which a volume that (invalidly) has several is named. */
const knownByName = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "gitRepo",
  "nfs",
  "iscsi",
  "glusterfs",
  "rbd",
  "flexVolume",
  "cinder",
  "cephfs",
  "flocker",
  "fc",
  "azureFile",
  "vsphereVolume",
  "quobyte",
  "azureDisk",
  "photonPersistentDisk",
  "portworxVolume",
  "scaleIO",
  "storageos",
] as const;

/**
 * Volumes come from the cluster's own objects and from drivers, never from the node or a server the Pod names.
 * A source this package has never heard of is refused.
 * Pod Security Standards, Restricted, "Volume Types".
 */
export const restrictedVolumes: PodSecurityCheck = {
  id: "restrictedVolumes",
  level: "restricted",
  editions: [
    {
      sinceMinor: 0,
      replaces: "hostPathVolumes",
      judge(pod) {
        const bad = pod.volumes.filter((volume) => !permitted.some((source) => volume.sources.has(source)));
        if (bad.length === 0) return undefined;
        const types = sortedUnique(bad.map(sourceName));
        return {
          reason: "restricted volume types",
          detail: [
            plural(bad.length, "volume", "volumes"),
            quoted(bad.map((volume) => volume.name)),
            plural(bad.length, "uses", "use"),
            plural(types.length, "restricted volume type", "restricted volume types"),
            quoted(types),
          ].join(" "),
        };
      },
    },
  ],
};

function sourceName(volume: VolumeView): string {
  return knownByName.find((source) => volume.sources.has(source)) ?? "unknown";
}
