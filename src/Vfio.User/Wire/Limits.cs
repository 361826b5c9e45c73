namespace Vfio.User.Wire;

/// <summary>The numbers that both sides agree on by the VERSION message, and those of them that this server announces.</summary>
internal static class Limits
{
    public const ushort Major = 0;

    /// <summary>The newest minor that any peer speaks; the smaller of both sides' counts.</summary>
    public const ushort Minor = 2;

    /// <summary>Bytes of data in one message, in either direction.</summary>
    public const uint DataTransfer = 1 << 20;

    /// <summary>A message with that much data, and the largest structure before it (as libvfio-user has it).</summary>
    public const uint Message = DataTransfer + 32;

    /// <summary>
    /// Room for a whole message in the socket: the next piece of a data stream is fetched while the client takes the one before. The kernel
    /// counts its own part as well, doubles the number for that, and cuts it at net.core.wmem_max.
    /// </summary>
    public const int SendBuffer = (int)Message;

    /// <summary>
    /// Descriptors that a client should send in one message; more are taken all the same. QEMU refuses a server that says more.
    /// </summary>
    public const int MessageDescriptors = 16;

    /// <summary>QEMU refuses a server that says more, and does not count: behind a virtual IOMMU it maps what its guest maps.</summary>
    public const int AnnouncedDmaMaps = 65535;

    /// <summary>Maps that are taken: 4 GiB, page by page.</summary>
    public const int DmaMaps = 1 << 20;

    public const uint PageSize = 4096;

    /// <summary>QEMU receives the VERSION reply into the buffer that its 214-byte request was in; a longer one ends it.</summary>
    public const int VersionReply = 214;

    /// <summary>What that leaves for the capabilities, with their NUL.</summary>
    public const int VersionText = VersionReply - MessageHeader.Size - VersionHead.Size;

    /// <summary>The longest dirty bitmap in one reply: what an argsz of <see cref="DataTransfer"/> leaves, in whole words.</summary>
    public const uint Bitmap = (DataTransfer - DmaUnmapStructure.Size - DmaUnmapBitmapStructure.Size) & ~7u;

    /// <summary>
    /// QEMU loses the rest of a reply that its socket buffer has no room for, so that the data of one DMA_READ stays well below it.
    /// </summary>
    public const int DmaChunk = 64 << 10;
}
