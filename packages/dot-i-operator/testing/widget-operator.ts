// An operator as the original's README teaches it. The comparison runs this very text with either import.
import Operator, {
  type OperatorLogger,
  type ResourceEvent,
  ResourceEventType,
  type ResourceMeta,
} from "@shieldx/dot-i-operator";

interface Widget {
  metadata: { name: string; uid: string; generation: number; finalizers?: string[]; labels?: object };
  spec: { size: number; failures?: number };
  status?: { observedGeneration?: number };
}

const FINALIZER = "widgets.test.shieldx.io/cleanup";

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

class WidgetOperator extends Operator {
  private readonly failures = new Map<string, number>();

  protected async init(): Promise<void> {
    if (process.env.WIDGET_CRD) {
      const { group, versions, plural } = await this.registerCustomResourceDefinition(process.env.WIDGET_CRD);
      const { body } = await this.k8sApi.readNamespace("default");
      const version = versions[0]?.name;
      tell({ group, version, plural, namespace: body.metadata?.name });
    }
    await this.watchResource(
      "test.shieldx.io",
      "v1",
      "widgets",
      (event) => this.onEvent(event),
      process.env.WIDGET_NAMESPACE,
    );
  }

  private async onEvent(event: ResourceEvent): Promise<void> {
    const { metadata, spec, status } = event.object as unknown as Widget;
    const { generation, finalizers, labels } = metadata;
    tell({ type: event.type, meta: said(event.meta), generation, finalizers, labels, spec, status });
    const failed = this.failures.get(metadata.uid) ?? 0;
    if (failed < (spec.failures ?? 0)) {
      this.failures.set(metadata.uid, failed + 1);
      throw new Error("this widget makes its handler fail");
    }
    if (event.type === ResourceEventType.Added || event.type === ResourceEventType.Modified) {
      if (await this.handleResourceFinalizer(event, FINALIZER, (e) => this.onDelete(e))) return;
      await this.onChange(event);
    }
  }

  private async onChange(event: ResourceEvent): Promise<void> {
    const { metadata, spec, status } = event.object as unknown as Widget;
    if (status?.observedGeneration === metadata.generation) return;
    const { generation: observedGeneration } = metadata;
    const written = await this.setResourceStatus(event.meta, { observedGeneration, size: spec.size });
    if (written) await this.patchResourceStatus(written, { isPatched: true });
  }

  private async onDelete(event: ResourceEvent): Promise<void> {
    tell({ cleanedUp: event.meta.name });
  }
}

function said({ name, namespace, id, apiVersion, kind }: ResourceMeta): object {
  return { name, hasNamespace: namespace !== undefined, id, apiVersion, kind };
}

const toStderr = (message: string): void => void process.stderr.write(`${message}\n`);
const logger: OperatorLogger = { debug: toStderr, info: toStderr, warn: toStderr, error: toStderr };
const operator = new WidgetOperator(logger);
process.on("SIGTERM", () => {
  operator.stop();
  process.exit(0);
});
operator.start().catch((error: unknown) => {
  process.stderr.write(`${error}\n`);
  process.exit(2);
});
