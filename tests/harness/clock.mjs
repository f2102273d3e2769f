// The wall clock of a daemon and its roles, which a test may set while they run (wall-clock.c). Their monotonic time, the
// chain's and the test's own go on as before.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { testsDir } from './util.mjs'

export class WallClock {
  #file

  /// dir: one that the daemon may read after it gave up its rights: the folder of its control socket.
  constructor(dir) {
    this.library = join(dir, 'wall-clock.so')
    this.#file = join(dir, 'wall-clock-offset')
    this.offset = 0 // seconds
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', this.library, join(testsDir, 'harness', 'wall-clock.c'), '-ldl'])
    this.#write('w')
  }

  /// So much ahead of this machine's clock (seconds; negative: behind), from this moment on and over restarts.
  set(seconds) {
    this.offset = seconds
    this.#write('r+')
  }
  jump(seconds) { this.set(this.offset + seconds) }
  now() { return Date.now() + this.offset * 1000 }

  #write(mode) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(this.offset))
    const fd = openSync(this.#file, mode)
    try { writeSync(fd, bytes, 0, 8, 0) } finally { closeSync(fd) }
  }

  /// What a process needs in its environment; more: what it has there already.
  environment(more = {}) {
    return {
      WALL_CLOCK_OFFSET: this.#file,
      LD_PRELOAD: [this.library, more.LD_PRELOAD].filter(Boolean).join(':'),
      // A sanitizer wants to be loaded first, and does its work behind us as well.
      ASAN_OPTIONS: [process.env.ASAN_OPTIONS, more.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':'),
    }
  }
}
