namespace Vfio.User;

/// <summary>What a server has said of itself in its VERSION reply; defaults of the protocol where it did not say.</summary>
public sealed record VfioUserServerInfo
{
    /// <summary>The minor version that both sides speak; the major is 0.</summary>
    public ushort Minor { get; init; }

    /// <summary>The most descriptors that it takes in one message.</summary>
    public int MaxMessageDescriptors { get; init; } = 1;

    /// <summary>The most data that it takes, and sends, in one message.</summary>
    public int MaxDataTransfer { get; init; } = (int)Wire.Limits.DataTransfer;

    /// <summary>Whether it takes REGION_WRITE_MULTI.</summary>
    public bool WriteMultiple { get; init; }

    /// <summary>Whether its DMA requests have a socket of their own.</summary>
    public bool TwinSocket { get; init; }

    /// <summary>The page size of its dirty bitmaps (migration.pgsize); null if it did not say.</summary>
    public ulong? MigrationPageSize { get; init; }

    /// <summary>
    /// Whether it says how it counts DMA maps and pages: libvfio-user, whose receive cannot take large bodies, says neither.
    /// </summary>
    internal bool AnnouncesMaps { get; init; }

    /// <summary>The JSON text as it came; empty if there was none.</summary>
    public string Capabilities { get; init; } = "";
}
