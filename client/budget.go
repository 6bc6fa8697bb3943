package client

import "sync/atomic"

// budget bounds the requests that are sent a second time: to a tenth of all
// requests, with a reserve for the moments in which a server is lost. Without it
// a slowness of everything would be answered with twice the load.
type budget struct {
	tenths atomic.Int64
}

const (
	perRetry     = 10     // tenths
	startReserve = 1_000  // retries at hand before the first request
	fullReserve  = 20_000 // retries: what 100,000 requests/s need until a server is out
	earnEvery    = 32     // requests are counted in lots, so that counting is shared by few
	maxTenths    = fullReserve * perRetry
)

func (b *budget) init() { b.tenths.Store(startReserve * perRetry) }

// earn counts n requests.
func (b *budget) earn(n int64) {
	if now := b.tenths.Load(); now < maxTenths {
		b.tenths.Add(n) // a little over the top does no harm
	}
}

// spend takes the price of one retry, if there is that much.
func (b *budget) spend() bool {
	for {
		now := b.tenths.Load()
		if now < perRetry {
			return false
		}
		if b.tenths.CompareAndSwap(now, now-perRetry) {
			return true
		}
	}
}
