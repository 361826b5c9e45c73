using System.IO.Pipelines;

namespace Vfio;

/// <summary>
/// Writes a data stream of records that <see cref="MigrationRecordReader"/> loads, and that is not loaded if anything of it is missing,
/// altered, repeated or in another order. One writer for the whole of a session, its phases included. Not thread-safe.
/// </summary>
public sealed class MigrationRecordWriter
{
    /// <summary>Creates the writer of a session.</summary>
    /// <param name="output">Where to: <see cref="MigrationSession.Saving"/>.</param>
    /// <param name="identity">Whose stream it is.</param>
    /// <param name="payloadLimit">The most bytes of one record; what readers take, see <see cref="MigrationRecord.DefaultPayloadLimit"/>.</param>
    public MigrationRecordWriter(PipeWriter output, MigrationStreamIdentity identity, int payloadLimit = MigrationRecord.DefaultPayloadLimit)
        => throw new NotImplementedException();

    /// <summary>Writes a payload as a record, or as several that continue each other if it is longer than the limit.</summary>
    /// <param name="tag">What it holds; below <see cref="MigrationRecord.FirstReservedTag"/>.</param>
    /// <param name="payload">The bytes; may be empty.</param>
    /// <param name="isOptional">Whether a reader that does not know the tag may skip it.</param>
    /// <param name="cancellationToken">Gives up waiting for the reader; records are written whole or not at all.</param>
    /// <returns>ENODEV: nobody reads any more.</returns>
    public ValueTask<VfioResult> WriteAsync(
        uint tag, ReadOnlyMemory<byte> payload, bool isOptional = false, CancellationToken cancellationToken = default)
        => throw new NotImplementedException();

    /// <summary>Memory of the pipe to put the payload of one record into, without a copy; <see cref="CommitAsync"/> makes the record.</summary>
    /// <param name="length">How much is wanted, at most the limit.</param>
    /// <returns>Exactly so much.</returns>
    public Memory<byte> GetMemory(int length) => throw new NotImplementedException();

    /// <summary>Makes a record of what was put into the memory that <see cref="GetMemory"/> gave.</summary>
    /// <param name="tag">What it holds; below <see cref="MigrationRecord.FirstReservedTag"/>.</param>
    /// <param name="length">The bytes that count, from its start.</param>
    /// <param name="isOptional">Whether a reader that does not know the tag may skip it.</param>
    /// <param name="continues">Whether the next record, of the same tag, goes on with the same payload.</param>
    /// <param name="cancellationToken">Gives up waiting for the reader; the record is written all the same.</param>
    /// <returns>ENODEV: nobody reads any more.</returns>
    public ValueTask<VfioResult> CommitAsync(
        uint tag, int length, bool isOptional = false, bool continues = false, CancellationToken cancellationToken = default)
        => throw new NotImplementedException();

    /// <summary>Ends the stream: without this it is not loaded. The pipe itself is its owner's to complete.</summary>
    /// <param name="cancellationToken">Gives up waiting for the reader.</param>
    /// <returns>ENODEV: nobody reads any more.</returns>
    public ValueTask<VfioResult> EndAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
}
