import Foundation
import Glibc
import Synchronization

/// Debian's nginx with a folder, ports and a configuration of the test's own. `/proxy/…` goes to a server behind it.
final class Nginx: Sendable {
    /// One of its ports.
    struct Site {
        var name: String
        var certificate: String
        var http2 = true
        /// Directives of this site alone.
        var extra = ""
    }

    /// One line of the access log.
    struct Access: Equatable {
        var connection: Int
        var protocolName: String
        var status: Int
    }

    private let folder: TemporaryFolder
    private let process: pid_t
    private let hasEnded = Mutex(false)
    let ports: [String: Int]

    /// `backend` is the port of the server behind `/proxy`.
    init(_ sites: [Site], backend: Int = 9) throws {
        let certificates = try Certificates.shared()
        var attempts = 5
        while true {
            let folder = try TemporaryFolder()
            let ports = try Self.freePorts(sites.count)
            try Self.configuration(sites, ports, folder, certificates, backend)
                .write(toFile: folder.path("nginx.conf"), atomically: true, encoding: .utf8)
            let process = try Self.launch(in: folder)
            if Self.accepts(ports, process) {
                (self.folder, self.process) = (folder, process)
                self.ports = Dictionary(uniqueKeysWithValues: zip(sites.map(\.name), ports))
                return
            }
            // Someone else may have taken a port in between.
            Self.end(process)
            attempts -= 1
            if attempts == 0 {
                let log = (try? String(contentsOfFile: folder.path("error.log"), encoding: .utf8)) ?? ""
                throw ToolFailure(description: "nginx does not start: \(log)")
            }
        }
    }

    deinit { stop() }

    func url(_ site: String, _ path: String = "/") -> String { "https://127.0.0.1:\(ports[site]!)\(path)" }

    /// Ends it and waits for that.
    func stop() {
        hasEnded.withLock { hasEnded in
            if !hasEnded { Self.end(process) }
            hasEnded = true
        }
    }

    private static func end(_ process: pid_t) {
        var status: Int32 = 0
        kill(process, SIGTERM)
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    /// What it has served: all of it, since the server is stopped first.
    func accesses() throws -> [Access] {
        stop()
        return try String(contentsOfFile: folder.path("access.log"), encoding: .utf8).split(separator: "\n").map {
            let words = $0.split(separator: " ")
            return Access(connection: Int(words[0])!, protocolName: String(words[1]), status: Int(words[2])!)
        }
    }

    /// A shell stands in between that ends nginx, by its number, when it is told to or this process is gone. It also
    /// closes what it inherits: a connection of another test that it held open would never be seen to end.
    private static func launch(in folder: TemporaryFolder) throws -> pid_t {
        let script = """
            for file in /proc/$$/fd/*; do
                number="${file##*/}"
                [ "$number" -gt 2 ] && eval "exec $number>&-"
            done
            nginx -p "$1" -c nginx.conf -e error.log & child=$!
            trap 'kill -TERM $child 2>/dev/null; wait $child; exit 0' TERM
            while kill -0 "$2" 2>/dev/null && kill -0 $child 2>/dev/null; do sleep 1 & wait $!; done
            kill -TERM $child 2>/dev/null
            wait $child
            """
        let texts: [String] = ["bash", "-c", script, "bash", folder.path("."), String(getpid())]
        let words: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        defer { for word in words { free(word) } }
        // Not Foundation's Process: the threads of tests block signals, and what they start would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var process: pid_t = 0
        let code = posix_spawn(&process, "/bin/bash", &actions, &attributes, words + [nil], environ)
        guard code == 0 else { throw ToolFailure(description: "no shell: \(String(cString: strerror(code)))") }
        return process
    }

    private static func configuration(
        _ sites: [Site], _ ports: [Int], _ folder: TemporaryFolder, _ certificates: Certificates, _ backend: Int
    ) -> String {
        let servers = zip(sites, ports).map { site, port in
            """
            server {
                listen 127.0.0.1:\(port) ssl\(site.http2 ? " http2" : "") backlog=4096;
                ssl_certificate \(certificates.folder.path(site.certificate + ".pem"));
                ssl_certificate_key \(certificates.folder.path(site.certificate + ".key"));
                location / { return 200 "plain"; }
                location /proxy/ { proxy_pass http://127.0.0.1:\(backend)/; }
                \(site.extra)
            }
            """
        }
        return """
            daemon off;
            master_process off;
            pid nginx.pid;
            worker_rlimit_nofile 16384;
            events { worker_connections 8192; }
            http {
                log_format wire '$connection $server_protocol $status';
                access_log access.log wire;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                client_max_body_size 64m;
                client_body_buffer_size 1m;
                keepalive_requests 100000;
                proxy_http_version 1.1;
                proxy_set_header connection "";
                lingering_close off;
            \(servers.joined(separator: "\n"))
            }
            """
    }

    private static func freePorts(_ count: Int) throws -> [Int] {
        let taken = try (0..<count).map { _ in try WireServer.closedPort() }
        for (descriptor, _) in taken { Glibc.close(descriptor) }
        return taken.map(\.port)
    }

    /// Waits until all ports take connections; false when the process ends first.
    private static func accepts(_ ports: [Int], _ process: pid_t) -> Bool {
        for port in ports {
            var attempts = 0
            while !canConnect(port) {
                attempts += 1
                guard isRunning(process), attempts < 2_000 else { return false }
                usleep(5_000)
            }
        }
        return true
    }

    private static func isRunning(_ process: pid_t) -> Bool {
        var status = siginfo_t()
        return waitid(P_PID, id_t(process), &status, WEXITED | WNOHANG | WNOWAIT) == 0 && status.si_signo == 0
    }

    private static func canConnect(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var name = WireServer.loopback(port: port)
        return withUnsafePointer(to: &name) { pointer in
            // SAFETY: a socket address of any family starts as `sockaddr` does; its true size goes with it.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
