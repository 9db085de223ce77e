/** The images that a Pod, or what makes Pods, runs or mounts. */
import { isJsonObject, type JsonObject, ShapeReader } from "../pod-security/shape-reader.ts";
import { extractPodSpec, podCarrierOf } from "../pod-security/workload.ts";

export interface PodImage {
  /** As written. */
  readonly text: string;
  /** For people: `container "web"`. */
  readonly of: string;
  /** From the object to the text. */
  readonly path: readonly (string | number)[];
}

export interface PodImages {
  readonly images: readonly PodImage[];
  /** What of the Pod is not shaped like one. */
  readonly problems: readonly string[];
}

const containerLists = [
  ["containers", "container"],
  ["initContainers", "init container"],
  ["ephemeralContainers", "ephemeral container"],
] as const;

/** Those of `object`; an object without a template makes no Pods and has none. */
export function imagesOf(object: unknown): PodImages {
  const pod = extractPodSpec(object);
  if (pod === undefined) return none;
  const above = [...(podCarrierOf(object)?.path ?? []), "spec"];
  if (!isJsonObject(pod.spec)) return { images: [], problems: [`${above.join(".")} must be an object`] };
  const shape = new ShapeReader();
  const images = [...containerImages(pod.spec, above, shape), ...volumeImages(pod.spec, above, shape)];
  return { images, problems: shape.problems };
}

const none: PodImages = Object.freeze({ images: [], problems: [] });

/** Those that an update brings, or changes: what is there already must stay editable. */
export function newImagesOf(object: unknown, oldObject: unknown): PodImages {
  const { images, problems } = imagesOf(object);
  if (oldObject === undefined || oldObject === null) return { images, problems };
  const before = new Map(imagesOf(oldObject).images.map(({ of, text }) => [of, text]));
  return { images: images.filter(({ of, text }) => before.get(of) !== text), problems };
}

function containerImages(spec: JsonObject, above: readonly string[], shape: ShapeReader): PodImage[] {
  return containerLists.flatMap(([list, title]) =>
    shape.objects(spec, list, above.join(".")).flatMap((container, at) => {
      const path = [...above, list, at, "image"];
      const text = shape.string(container, "image", `${above.join(".")}.${list}[${at}]`);
      const name = shape.string(container, "name", `${above.join(".")}.${list}[${at}]`) ?? "";
      // Without an image it is the API server's to refuse, or a controller's to complete.
      return text === undefined || text === "" ? [] : [{ text, of: `${title} "${name}"`, path }];
    }),
  );
}

/** Images that are mounted (core/v1 ImageVolumeSource, Kubernetes 1.31 and later). */
function volumeImages(spec: JsonObject, above: readonly string[], shape: ShapeReader): PodImage[] {
  return shape.objects(spec, "volumes", above.join(".")).flatMap((volume, at) => {
    const where = `${above.join(".")}.volumes[${at}]`;
    const source = shape.object(volume, "image", where);
    const text = source && shape.string(source, "reference", `${where}.image`);
    const name = shape.string(volume, "name", where) ?? "";
    if (text === undefined || text === "") return [];
    return [{ text, of: `volume "${name}"`, path: [...above, "volumes", at, "image", "reference"] }];
  });
}
