import { defaultLeaseTiming, LeaseElection, type LeaseSpec, type ObservedLease } from "./lease.ts";

/**
 * Test tooling: candidates, an API server and the network between them in simulated time, all from one seed.
 * Every fault that an election can meet happens: requests and answers lost or late, watches cut or lagging,
 * clocks that run fast or slow and start anywhere, stalled and killed processes.
 */
export interface SimulationOptions {
  readonly seed: number;
  readonly candidates: number;
  readonly durationMs: number;
  /** From here on nothing fails. */
  readonly calmAfterMs?: number;
  /** Breaks the leader's rule on purpose: how long beyond its deadline it still writes. */
  readonly leaderOverstaysMs?: number;
}

export interface SimulationResult {
  /** Moments at which more than one candidate would have begun a write. */
  readonly overlaps: readonly string[];
  readonly leaderAtEnd: string | undefined;
  readonly takeovers: number;
}

interface Simulated {
  election: LeaseElection;
  readonly index: number;
  generation: number;
  /** Local clock = offset + rate × true time. */
  readonly offset: number;
  readonly rate: number;
  stalledUntil: number;
  partitionedUntil: number;
  watchLagMs: number;
  busy: boolean;
  wakeAt: number;
}

interface Happening {
  readonly at: number;
  readonly order: number;
  run(): void;
}

const stepMs = 50;

export function runElection(options: SimulationOptions): SimulationResult {
  const simulation = new Simulation(options);
  return simulation.run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: () => number;
  readonly #candidates: Simulated[];
  readonly #overlaps: string[] = [];
  #happenings: Happening[] = [];
  #order = 0;
  #now = 0;
  #lease: ObservedLease | undefined;
  #version = 0;
  #takeovers = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#candidates = Array.from({ length: options.candidates }, (_, index) => ({
      election: this.#newElection(index, 0),
      index,
      generation: 0,
      offset: this.#random() * 1e6,
      // Real clocks differ by less than 0.1 %; the proof carries up to 15/10.
      rate: 0.9 + this.#random() * 0.2,
      stalledUntil: 0,
      partitionedUntil: 0,
      watchLagMs: 0,
      busy: false,
      wakeAt: this.#random() * 3_000,
    }));
  }

  run(): SimulationResult {
    for (; this.#now < this.#options.durationMs; this.#now += stepMs) {
      this.#disturb();
      this.#runHappenings();
      for (const candidate of this.#candidates) this.#drive(candidate);
      this.#judge();
    }
    const leader = this.#candidates.find((candidate) => this.#writes(candidate));
    return {
      overlaps: this.#overlaps,
      leaderAtEnd: leader?.election.identity,
      takeovers: this.#takeovers,
    };
  }

  get #isCalm(): boolean {
    return this.#now >= (this.#options.calmAfterMs ?? Number.POSITIVE_INFINITY);
  }

  #newElection(index: number, generation: number): LeaseElection {
    return new LeaseElection(`candidate-${index}_${generation}`, defaultLeaseTiming, this.#random);
  }

  #clockOf(candidate: Simulated): number {
    return candidate.offset + candidate.rate * this.#now;
  }

  #chance(perSecond: number): boolean {
    return this.#random() < (perSecond * stepMs) / 1000;
  }

  #disturb(): void {
    for (const candidate of this.#candidates) {
      if (this.#isCalm) {
        candidate.partitionedUntil = Math.min(candidate.partitionedUntil, this.#now);
        candidate.stalledUntil = Math.min(candidate.stalledUntil, this.#now);
        candidate.watchLagMs = 0;
        continue;
      }
      if (this.#chance(0.02)) candidate.stalledUntil = this.#now + this.#random() * 30_000;
      if (this.#chance(0.02)) candidate.partitionedUntil = this.#now + this.#random() * 40_000;
      if (this.#chance(0.05)) candidate.watchLagMs = this.#random() < 0.5 ? 0 : this.#random() * 20_000;
      if (this.#chance(0.01)) this.#restart(candidate);
      else if (this.#chance(0.005)) this.#release(candidate);
    }
  }

  #restart(candidate: Simulated): void {
    candidate.generation++;
    candidate.election = this.#newElection(candidate.index, candidate.generation);
    candidate.busy = false;
    candidate.wakeAt = this.#now + this.#random() * 2_000;
  }

  #release(candidate: Simulated): void {
    const released = candidate.election.release(this.#now);
    if (released === undefined) return;
    this.#send(
      candidate,
      () => this.#update(released.over, released.spec),
      () => undefined,
    );
  }

  #drive(candidate: Simulated): void {
    if (candidate.stalledUntil > this.#now || candidate.busy || candidate.wakeAt > this.#now) return;
    const { election } = candidate;
    const startedAt = this.#clockOf(candidate);
    const command = election.next(startedAt, this.#now + candidate.index * 1e9);
    switch (command.kind) {
      case "wait": {
        const remaining = (command.untilMs - startedAt) / candidate.rate;
        candidate.wakeAt = this.#now + Math.max(1, remaining);
        return;
      }
      case "stop":
        this.#restart(candidate);
        return;
      case "read":
        this.#request(
          candidate,
          () => this.#lease ?? "absent",
          (lease) => election.wasRead(lease === "absent" ? undefined : lease, this.#clockOf(candidate)),
        );
        return;
      case "create":
      case "update": {
        const write = (): ObservedLease | "refused" =>
          command.kind === "create" ? this.#create(command.spec) : this.#update(command.over, command.spec);
        this.#request(candidate, write, (answer) => {
          if (answer === "refused") election.wasRefused(this.#clockOf(candidate));
          else election.wasWritten(answer, startedAt, this.#clockOf(candidate));
        });
        return;
      }
      default:
        command satisfies never;
    }
  }

  /** Sends a request; the answer, or the failure after a time-out, comes back to the same life of the process. */
  #request<A>(candidate: Simulated, serve: () => A, answer: (value: A) => void): void {
    const { election } = candidate;
    candidate.busy = true;
    let settled = false;
    const settle = (run: () => void): void => {
      if (settled || candidate.election !== election) return;
      settled = true;
      candidate.busy = false;
      candidate.wakeAt = this.#now;
      run();
    };
    this.#send(candidate, serve, (value) => settle(() => answer(value)));
    this.#later(candidate, 5_000, () => settle(() => election.hasFailed(this.#clockOf(candidate))));
  }

  #send<A>(candidate: Simulated, serve: () => A, deliver: (value: A) => void): void {
    const isCut = candidate.partitionedUntil > this.#now;
    const lost = isCut || (!this.#isCalm && this.#random() < 0.05);
    // Even what gets lost for the sender may arrive, late.
    if (lost && this.#random() < 0.5) return;
    const outMs = this.#latency() + (lost ? this.#random() * 20_000 : 0);
    this.#at(this.#now + outMs, () => {
      const value = serve();
      if (lost || (!this.#isCalm && this.#random() < 0.05)) return;
      this.#later(candidate, this.#latency(), () => deliver(value));
    });
  }

  #latency(): number {
    return this.#isCalm || this.#random() < 0.9 ? this.#random() * 50 : this.#random() * 8_000;
  }

  #at(at: number, run: () => void): void {
    this.#happenings.push({ at, order: this.#order++, run });
  }

  /** In the candidate's process: not before its event loop runs again. */
  #later(candidate: Simulated, afterMs: number, run: () => void): void {
    this.#at(this.#now + afterMs, () => {
      if (candidate.stalledUntil > this.#now) this.#later(candidate, candidate.stalledUntil - this.#now, run);
      else run();
    });
  }

  #runHappenings(): void {
    const due = this.#happenings.filter((happening) => happening.at <= this.#now);
    if (due.length === 0) return;
    this.#happenings = this.#happenings.filter((happening) => happening.at > this.#now);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const happening of due) happening.run();
  }

  #create(spec: LeaseSpec): ObservedLease | "refused" {
    if (this.#lease !== undefined) return "refused";
    return this.#store(spec);
  }

  #update(over: ObservedLease, spec: LeaseSpec): ObservedLease | "refused" {
    if (this.#lease?.resourceVersion !== over.resourceVersion) return "refused";
    return this.#store(spec);
  }

  #store(spec: LeaseSpec): ObservedLease {
    if (spec.holderIdentity !== this.#lease?.spec.holderIdentity) this.#takeovers++;
    const lease = { resourceVersion: String(++this.#version), uid: "uid", spec };
    this.#lease = lease;
    for (const candidate of this.#candidates) {
      const { election } = candidate;
      election.setWatching(true);
      if (candidate.partitionedUntil > this.#now) continue;
      this.#later(candidate, candidate.watchLagMs + this.#random() * 20, () => {
        election.wasSeen(lease, this.#clockOf(candidate));
        if (!candidate.busy) candidate.wakeAt = this.#now;
      });
    }
    return lease;
  }

  #writes(candidate: Simulated): boolean {
    const overstay = this.#options.leaderOverstaysMs ?? 0;
    const { election } = candidate;
    const clock = this.#clockOf(candidate);
    // A stalled process begins its next write when it wakes: the guard answers by the clock of that moment.
    if (overstay > 0) return election.role === "leading" && clock < election.mayWriteUntilMs + overstay;
    return election.mayWrite(clock);
  }

  #judge(): void {
    const writers = this.#candidates.filter((candidate) => this.#writes(candidate));
    if (writers.length > 1) {
      this.#overlaps.push(
        `at ${this.#now} ms: ${writers.map((writer) => writer.election.identity).join(", ")}`,
      );
    }
  }
}

/** mulberry32: small, good enough to shuffle faults, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
