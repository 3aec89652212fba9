import Glibc

/// Waiting, for threads that have nothing else to do.
enum Pause {
    static func seconds(_ n: UInt32) { sleep(n) }
}
