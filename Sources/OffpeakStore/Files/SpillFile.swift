import Glibc
import OffpeakCore

/// Bought answers that could not be committed, in a file that was given its blocks while the disk still had some.
///
/// Records follow each other from the start: length (4 bytes, little-endian), CRC-32 of the payload (4 bytes), payload.
/// A length of zero, a wrong checksum or the end of the file ends them.
final class SpillFile {
    private let file: SideFile
    private var end = 0
    /// Enough for some thousand answers.
    static let preallocated = 4 * 1_048_576

    /// Opens the file; makes sure of its blocks as far as the disk has any.
    init(path: String) throws(StoreError) {
        file = try SideFile(path: path)
        // Without the room we go on: whoever runs the queue watches the free space, and this is the second line.
        _ = posix_fallocate(file.descriptor, 0, off_t(Self.preallocated))
    }

    /// Appends settlements and syncs them. Throws when the file system refuses this, too.
    func append(_ settlements: [Settlement]) throws(StoreError) {
        guard !settlements.isEmpty else { return }
        var block: [UInt8] = []
        for settlement in settlements {
            var writer = ByteWriter()
            writer.write(settlement)
            block.append(contentsOf: UInt32(writer.bytes.count).littleEndianBytes)
            block.append(contentsOf: CRC32.of(writer.bytes).littleEndianBytes)
            block.append(contentsOf: writer.bytes)
        }
        // The end mark, in case the place was used before.
        try write(block + [0, 0, 0, 0, 0, 0, 0, 0], at: end)
        end += block.count
    }

    /// The settlements of an earlier run; further ones are appended after them.
    func read() throws(StoreError) -> [Settlement] {
        var settlements: [Settlement] = []
        end = 0
        while let head = try bytes(8, at: end) {
            let length = Int(UInt32(littleEndianBytes: head[0..<4]))
            let checksum = UInt32(littleEndianBytes: head[4..<8])
            guard length > 0, let payload = try bytes(length, at: end + 8), CRC32.of(payload) == checksum else { break }
            var reader = ByteReader(bytes: payload)
            guard let settlement = reader.settlement() else { break }
            settlements.append(settlement)
            end += 8 + length
        }
        return settlements
    }

    /// Forgets all records and keeps the blocks. Prompts' answers do not stay behind in the file.
    func clear() throws(StoreError) {
        try write([UInt8](repeating: 0, count: end + 8), at: 0)
        end = 0
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws(StoreError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(
                    file.descriptor, buffer.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system("write", path: file.path)
            }
            done += count
        }
        guard fdatasync(file.descriptor) == 0 else { throw .system("sync", path: file.path) }
    }

    /// Exactly this many bytes, or nil at the file's end.
    private func bytes(_ count: Int, at offset: Int) throws(StoreError) -> [UInt8]? {
        var status = stat()
        guard fstat(file.descriptor, &status) == 0 else { throw .system("look at", path: file.path) }
        guard offset + count <= Int(status.st_size) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let read = bytes.withUnsafeMutableBytes { buffer in
                pread(file.descriptor, buffer.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
            }
            if read < 0 {
                if errno == EINTR { continue }
                throw .system("read", path: file.path)
            }
            if read == 0 { return nil }
            done += read
        }
        return bytes
    }
}

/// CRC-32 as in IEEE 802.3.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320 }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { checksum, byte in table[Int(UInt8(truncatingIfNeeded: checksum) ^ byte)] ^ checksum >> 8 }
    }
}

extension UInt32 {
    var littleEndianBytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) } }

    init(littleEndianBytes bytes: ArraySlice<UInt8>) {
        self = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
