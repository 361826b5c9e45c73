using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Vfio.User.Wire;

namespace Vfio.User.Negotiation;

/// <summary>What the other side says of itself in its VERSION message: a client that proposes, or a server that answers.</summary>
internal sealed class PeerCapabilities
{
    private const ulong LargestMessageDescriptors = 1024;
    private bool _announcesDmaMaps;
    private bool _announcesPageSizes;

    public ushort Minor { get; private set; }

    /// <summary>
    /// How many descriptors it takes in one message; null if it does not say (1, by the specification; every peer takes more).
    /// </summary>
    public int? MessageDescriptors { get; private set; }

    /// <summary>The most data that it takes in one message.</summary>
    public uint DataTransfer { get; private set; } = Limits.DataTransfer;

    public bool WriteMultiple { get; private set; }

    public bool TwinSocket { get; private set; }

    /// <summary>Which descriptor of a server's reply is the twin socket; null if it does not say.</summary>
    public int? TwinIndex { get; private set; }

    /// <summary>Whether it says how many maps it keeps, or pages of which sizes.</summary>
    public bool AnnouncesMaps => _announcesDmaMaps || _announcesPageSizes;

    /// <summary>The page size of dirty bitmaps; null if it does not say: it does not speak of migration.</summary>
    public ulong? MigrationPageSize { get; private set; }

    /// <summary>The longest dirty bitmap that it wants in one reply; null if it does not say.</summary>
    public ulong? MaxBitmapSize { get; private set; }

    /// <summary>Reads the payload of a VERSION message.</summary>
    /// <param name="payload">The payload: the numbers, and JSON text with a NUL, or none.</param>
    /// <returns>
    /// EINVAL: another major, no NUL, no JSON, or a value of a type or size that its key cannot have. Unknown keys are passed over.
    /// </returns>
    public static VfioResult<PeerCapabilities> Parse(ReadOnlySpan<byte> payload)
    {
        if (!MemoryMarshal.TryRead<VersionHead>(payload, out var head) || head.Major != Limits.Major)
            return Errno.EINVAL;
        var capabilities = new PeerCapabilities { Minor = head.Minor };
        var text = payload[VersionHead.Size..];
        if (text.IsEmpty)
            return capabilities;
        if (text[^1] != 0)
            return Errno.EINVAL;
        text = text[..text.IndexOf((byte)0)];
        try
        {
            return Utf8.IsValid(text) && capabilities.ReadText(text) ? capabilities : Errno.EINVAL;
        }
        // The latter: half a character, escaped, in a name.
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return Errno.EINVAL;
        }
    }

    private bool ReadText(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text);
        if (!reader.Read() || !ReadObject(ref reader, isObjectRequired: false, ReadTop))
            return false;

        // Nothing may follow.
        return !reader.Read();
    }

    private static bool ReadTop(PeerCapabilities self, Key key, ref Utf8JsonReader value)
        => key != Key.Capabilities || self.ReadObject(ref value, isObjectRequired: true, ReadCapability);

    private static bool ReadCapability(PeerCapabilities self, Key key, ref Utf8JsonReader value)
    {
        switch (key)
        {
            case Key.MaxMsgFds:
                if (!TryNumber(ref value, 0, LargestMessageDescriptors, out var descriptors))
                    return false;
                self.MessageDescriptors = (int)descriptors;
                return true;
            case Key.MaxDataXferSize:
                // With 0 no transfer would ever move on.
                if (!TryNumber(ref value, 1, ulong.MaxValue, out var transfer))
                    return false;
                self.DataTransfer = (uint)Math.Min(transfer, Limits.DataTransfer);
                return true;
            case Key.MaxDmaMaps:
                self._announcesDmaMaps = true;
                return TryNumber(ref value, 0, ulong.MaxValue, out _);
            case Key.PageSizes:
                self._announcesPageSizes = true;
                return TryNumber(ref value, 1, ulong.MaxValue, out _);
            case Key.WriteMultiple:
                self.WriteMultiple = value.TokenType == JsonTokenType.True;
                return value.TokenType is JsonTokenType.True or JsonTokenType.False;
            case Key.TwinSocket:
                return self.ReadObject(ref value, isObjectRequired: true, ReadTwinSocket);
            case Key.Migration:
                return self.ReadObject(ref value, isObjectRequired: true, ReadMigration);
            default:
                return true;
        }
    }

    private static bool ReadTwinSocket(PeerCapabilities self, Key key, ref Utf8JsonReader value)
    {
        switch (key)
        {
            case Key.Supported:
                self.TwinSocket = value.TokenType == JsonTokenType.True;
                return value.TokenType is JsonTokenType.True or JsonTokenType.False;
            case Key.FdIndex:
                if (!TryNumber(ref value, 0, LargestMessageDescriptors, out var index))
                    return false;
                self.TwinIndex = (int)index;
                return true;
            default:
                return true;
        }
    }

    private static bool ReadMigration(PeerCapabilities self, Key key, ref Utf8JsonReader value)
    {
        switch (key)
        {
            case Key.PageSize:
                if (!TryNumber(ref value, Limits.PageSize, ulong.MaxValue, out var size) || size % Limits.PageSize != 0)
                    return false;
                self.MigrationPageSize = size;
                return true;
            case Key.MaxBitmapSize:
                if (!TryNumber(ref value, 0, ulong.MaxValue, out var longest))
                    return false;
                self.MaxBitmapSize = longest;
                return true;
            default:
                return true;
        }
    }

    private delegate bool Member(PeerCapabilities self, Key key, ref Utf8JsonReader value);

    // The reader stands on the value; it leaves on the value's last token.
    private bool ReadObject(ref Utf8JsonReader reader, bool isObjectRequired, Member member)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return !isObjectRequired;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var key = KeyOf(ref reader);
            reader.Read();
            if (!member(this, key, ref reader))
                return false;

            // What a member has not read is passed over.
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                reader.Skip();
        }

        return true;
    }

    private static bool TryNumber(ref Utf8JsonReader value, ulong least, ulong most, out ulong number)
    {
        number = 0;
        return value.TokenType == JsonTokenType.Number && value.TryGetUInt64(out number) && number >= least && number <= most;
    }

    private static Key KeyOf(ref Utf8JsonReader reader)
    {
        foreach (var (key, name) in Names)
        {
            if (reader.ValueTextEquals(name))
                return key;
        }

        return Key.Unknown;
    }

    private static readonly (Key Key, string Name)[] Names =
    [
        (Key.Capabilities, "capabilities"), (Key.MaxMsgFds, "max_msg_fds"), (Key.MaxDataXferSize, "max_data_xfer_size"),
        (Key.MaxDmaMaps, "max_dma_maps"), (Key.PageSizes, "pgsizes"), (Key.WriteMultiple, "write_multiple"),
        (Key.TwinSocket, "twin_socket"), (Key.Supported, "supported"), (Key.FdIndex, "fd_index"), (Key.Migration, "migration"),
        (Key.PageSize, "pgsize"), (Key.MaxBitmapSize, "max_bitmap_size"),
    ];

    private enum Key
    {
        Unknown,
        Capabilities,
        MaxMsgFds,
        MaxDataXferSize,
        MaxDmaMaps,
        PageSizes,
        WriteMultiple,
        TwinSocket,
        Supported,
        FdIndex,
        Migration,
        PageSize,
        MaxBitmapSize,
    }
}
