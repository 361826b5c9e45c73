using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Vfio.Simulation.Nvme.Storage;

/// <summary>A namespace: its storage, its format and its identity.</summary>
internal sealed class NvmeNamespace
{
    private readonly byte[] _guid = new byte[16];
    private readonly byte[] _uuid = new byte[16];

    /// <param name="id">Namespace id.</param>
    /// <param name="blockShift">Logarithm of the block size.</param>
    /// <param name="storage">The blocks.</param>
    /// <param name="subsystem">Name of the subsystem: with the id, the seed of the identifiers, which must survive every restart.</param>
    internal NvmeNamespace(uint id, int blockShift, NamespaceStorage storage, string subsystem)
    {
        Id = id;
        BlockShift = blockShift;
        Storage = storage;
        Blocks = (ulong)storage.Size >> blockShift;
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{subsystem}#{id}"));
        hash.AsSpan(0, 16).CopyTo(_guid);
        hash.AsSpan(16, 16).CopyTo(_uuid);
        // RFC 9562: version 8, made from a hash.
        _uuid[6] = (byte)((_uuid[6] & 0x0F) | 0x80);
        _uuid[8] = (byte)((_uuid[8] & 0x3F) | 0x80);
        // An NGUID's last eight bytes are the extension, its vendor-specific part comes first; zero would mean "none".
        _guid[0] |= 1;
    }

    internal uint Id { get; }

    internal int BlockShift { get; }

    internal ulong Blocks { get; }

    internal NamespaceStorage Storage { get; }

    /// <summary>How many controllers it may be attached to.</summary>
    internal bool IsShared { get; set; }

    internal ReadOnlySpan<byte> Nguid => _guid;

    internal ReadOnlySpan<byte> Uuid => _uuid;

    /// <summary>Number for which the device's serial register could stand: the identifiers' first eight bytes.</summary>
    internal ulong Seed => BinaryPrimitives.ReadUInt64LittleEndian(_guid);

    /// <summary>Whether a range lies inside; never wraps.</summary>
    internal bool Holds(ulong block, ulong count) => count <= Blocks && block <= Blocks - count;
}
