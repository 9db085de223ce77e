// The Go side of `make bench-runtime`: sigs.k8s.io/controller-runtime with an unstructured cache, as an operator for
// kinds it has no Go types of would use it. Speaks the protocol described in bench/peers/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var (
	output  sync.Mutex
	plural  = os.Getenv("BENCH_PLURAL")
	kind    = os.Getenv("BENCH_KIND")
	objects = number("BENCH_OBJECTS")
	keys    = number("BENCH_KEYS")
	workers = number("BENCH_WORKERS")
)

func number(name string) int {
	value, _ := strconv.Atoi(os.Getenv(name))
	return value
}

// monotonicMs is CLOCK_MONOTONIC, which every process of the machine reads alike.
func monotonicMs() float64 {
	var now unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return float64(now.Nano()) / 1e6
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func report(event string, fields map[string]any) {
	fields["event"] = event
	line, err := json.Marshal(fields)
	must(err)
	output.Lock()
	defer output.Unlock()
	_, err = fmt.Println(string(line))
	must(err)
}

// fingerprint is FNV-1a with 32 bits; the contestants' sums over all objects must agree.
func fingerprint(text string) uint32 {
	hash := uint32(2166136261)
	for at := 0; at < len(text); at++ {
		hash ^= uint32(text[at])
		hash *= 16777619
	}
	return hash
}

func main() {
	log.SetLogger(logr.Discard())
	config, err := ctrl.GetConfig()
	must(err)
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: server.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Client:  client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	must(err)
	if os.Getenv("BENCH_SCENARIO") == "rate" {
		rate(manager)
	} else {
		follow(manager)
	}
	must(manager.Start(ctrl.SetupSignalHandler()))
}

func kindObject() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "bench.shieldx.io", Version: "v1", Kind: kind})
	return object
}

type start struct {
	uid, resourceVersion string
	at                   float64
}

type follower struct {
	client    client.Client
	mutex     sync.Mutex
	seen      map[types.NamespacedName]struct{}
	sum       uint32
	recording bool
	starts    []start
}

func (f *follower) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	at := monotonicMs()
	object := kindObject()
	if err := f.client.Get(ctx, request.NamespacedName, object); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.recording {
		f.starts = append(f.starts, start{string(object.GetUID()), object.GetResourceVersion(), at})
		return reconcile.Result{}, nil
	}
	f.seen[request.NamespacedName] = struct{}{}
	f.sum += fingerprint(string(object.GetUID()) + " " + object.GetResourceVersion())
	if len(f.seen) == objects {
		report("reconciled", map[string]any{"at": monotonicMs(), "objects": len(f.seen), "sum": f.sum})
		f.seen = nil
		f.recording = true
	}
	return reconcile.Result{}, nil
}

func follow(manager ctrl.Manager) {
	f := &follower{client: manager.GetClient(), seen: map[types.NamespacedName]struct{}{}}
	must(ctrl.NewControllerManagedBy(manager).For(kindObject()).Complete(f))
	// Known before the manager starts, or the wait below would find nothing to wait for.
	_, err := manager.GetCache().GetInformer(context.Background(), kindObject(), cache.BlockUntilSynced(false))
	must(err)
	go func() {
		if !manager.GetCache().WaitForCacheSync(context.Background()) {
			return
		}
		report("synced", map[string]any{"at": monotonicMs()})
		if objects == 0 {
			report("reconciled", map[string]any{"at": monotonicMs(), "objects": 0, "sum": 0})
		}
	}()
	go f.obey()
}

func (f *follower) obey() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "heap":
			runtime.GC()
			debug.FreeOSMemory()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			report("heap", map[string]any{"bytes": memory.HeapAlloc})
		case "starts":
			f.mutex.Lock()
			starts := make([][3]any, 0, len(f.starts))
			for _, one := range f.starts {
				starts = append(starts, [3]any{one.uid, one.resourceVersion, one.at})
			}
			f.starts = nil
			f.mutex.Unlock()
			report("starts", map[string]any{"starts": starts})
		}
	}
}

// rate has one object that stands for many keys: each of its changes makes all of them due at once.
func rate(manager ctrl.Manager) {
	requests := make([]reconcile.Request, keys)
	for at := range requests {
		requests[at].NamespacedName = types.NamespacedName{Namespace: "bench", Name: fmt.Sprintf("key-%06d", at)}
	}
	var began atomic.Uint64
	var done atomic.Int64
	var milliseconds sync.Mutex
	var beganAt float64
	expand := func(_ context.Context, _ client.Object) []reconcile.Request {
		if began.CompareAndSwap(0, 1) {
			milliseconds.Lock()
			beganAt = monotonicMs()
			milliseconds.Unlock()
		}
		return requests
	}
	count := reconcile.Func(func(_ context.Context, _ reconcile.Request) (reconcile.Result, error) {
		if done.Add(1) == int64(keys) {
			ended := monotonicMs()
			milliseconds.Lock()
			report("batch", map[string]any{"ms": ended - beganAt, "keys": keys})
			milliseconds.Unlock()
			done.Store(0)
			began.Store(0)
		}
		return reconcile.Result{}, nil
	})
	must(ctrl.NewControllerManagedBy(manager).Named("rate").
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(expand)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(count))
}
