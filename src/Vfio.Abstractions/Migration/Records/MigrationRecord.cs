using System.Buffers;

namespace Vfio;

/// <summary>A record of a data stream, complete and checked.</summary>
/// <param name="Tag">What it holds; below <see cref="FirstReservedTag"/>.</param>
/// <param name="IsOptional">Whether a reader that does not know the tag may go on without it.</param>
/// <param name="Continues">Whether the next record, of the same tag, goes on with the same payload.</param>
/// <param name="Payload">The bytes, where they arrived: valid until the next record is asked for.</param>
public readonly record struct MigrationRecord(uint Tag, bool IsOptional, bool Continues, ReadOnlySequence<byte> Payload)
{
    /// <summary>Tags from here on are the framing's own.</summary>
    public const uint FirstReservedTag = 0xFFFF_0000;

    /// <summary>
    /// The most bytes of one record's payload unless its reader says otherwise; a writer splits what is longer. With its frame such a
    /// record is 256 KiB.
    /// </summary>
    public const int DefaultPayloadLimit = (256 << 10) - RecordFormat.FrameBytes;
}
