using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>Which bits of the hardware the writes of a recording have changed.</summary>
/// <remarks>
/// A bit that a write changed in the hardware can be written: that is all that is taken from these rows. A bit that did not change tells
/// nothing by itself, because VFIO may have kept the write to itself.
/// </remarks>
internal sealed class BitEvidence
{
    private readonly byte[] _set;

    private BitEvidence(int size)
    {
        Changed = new byte[size];
        ClearedByOne = new byte[size];
        _set = new byte[size];
        Asked = new byte[size];
    }

    /// <summary>The bits that took the value that was written.</summary>
    public byte[] Changed { get; }

    /// <summary>The bits that went to 0 when 1 was written, and never to 1.</summary>
    public byte[] ClearedByOne { get; }

    /// <summary>The bits that some write would have changed, had it reached the hardware and the hardware had them.</summary>
    public byte[] Asked { get; }

    /// <summary>Bits that changed without being written: the hardware does something that is not modelled.</summary>
    public int Unexplained { get; private set; }

    public static BitEvidence Of(RecordedDevice device, byte[] hardware, byte[] shown)
    {
        var evidence = new BitEvidence(hardware.Length);
        foreach (var row in device.Of("config_write"))
        {
            if (TryRead(row, hardware.Length, out var offset, out var width, out var value, out var before, out var after))
                evidence.Add(offset, width, value, Before(before, offset & ~3, hardware, shown), after);
        }

        for (var i = 0; i < hardware.Length; i++)
            evidence.ClearedByOne[i] &= (byte)~evidence._set[i];
        return evidence;
    }

    /// <summary>
    /// What the hardware held when a row began: where the client saw something else than right after the first open, an earlier write of
    /// the recorder had stayed in the hardware.
    /// </summary>
    private static byte[] Before(ReadOnlySpan<byte> before, int start, byte[] hardware, byte[] shown)
    {
        var bytes = hardware.AsSpan(start, sizeof(uint)).ToArray();
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] ^= (byte)(before[i] ^ shown[start + i]);
        return bytes;
    }

    // A row that lacks something is reported where it is replayed.
    private static bool TryRead(RecordedRow row, int size, out int offset, out int width, out uint value, out byte[] before,
        out byte[] after)
    {
        (offset, width, value, before, after) = (0, 0, 0, [], []);
        try
        {
            (offset, width, value) = (row.Int("offset"), row.Int("width"), row.Unsigned("value"));
            (before, after) = (row.Bytes("before"), row.Bytes("hardware"));
        }
        catch (RecordingException)
        {
            return false;
        }

        return before.Length == sizeof(uint) && after.Length == sizeof(uint) && offset >= 0 && width is > 0 and <= sizeof(uint)
            && (offset & ~3) + sizeof(uint) <= size;
    }

    private void Add(int offset, int width, uint value, byte[] before, byte[] after)
    {
        var start = offset & ~3;
        for (var i = 0; i < sizeof(uint); i++)
        {
            var at = start + i - offset;
            var changed = before[i] ^ after[i];
            var isWritten = at >= 0 && at < width;
            var written = isWritten ? (byte)(value >> (8 * at)) : (byte)0;
            var taken = isWritten ? changed & ~(after[i] ^ written) : 0;
            var cleared = isWritten ? changed & before[i] & written : 0;
            Changed[start + i] |= (byte)taken;
            ClearedByOne[start + i] |= (byte)cleared;
            _set[start + i] |= (byte)(taken & written);
            Asked[start + i] |= isWritten ? (byte)(before[i] ^ written) : (byte)0;
            Unexplained += byte.PopCount((byte)(changed & ~taken & ~cleared));
        }
    }
}
