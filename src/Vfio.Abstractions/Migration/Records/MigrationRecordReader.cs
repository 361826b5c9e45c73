using System.IO.Pipelines;

namespace Vfio;

/// <summary>
/// Reads a data stream that <see cref="MigrationRecordWriter"/> wrote, as its bytes arrive in pieces of any size. A record is handed out
/// once all of it has been checked; what is wrong with a header is found as soon as its 16 bytes are there. Not thread-safe.
/// </summary>
public sealed class MigrationRecordReader
{
    /// <summary>Creates the reader of a session.</summary>
    /// <param name="input">Where from: <see cref="MigrationSession.Resuming"/>.</param>
    /// <param name="name">The stream's <see cref="MigrationStreamIdentity.Name"/>: another's is refused.</param>
    /// <param name="tags">The tags that are known. Others are skipped if they are optional, and refused if not.</param>
    /// <param name="payloadLimit">The most bytes of one record.</param>
    public MigrationRecordReader(
        PipeReader input, string name, ReadOnlySpan<uint> tags, int payloadLimit = MigrationRecord.DefaultPayloadLimit)
        => throw new NotImplementedException();

    /// <summary>The version of the stream's layout; known once <see cref="ReadAsync"/> has yielded anything.</summary>
    public uint Version => throw new NotImplementedException();

    /// <summary>The record that <see cref="ReadAsync"/> found; valid until it is called again.</summary>
    public MigrationRecord Record => throw new NotImplementedException();

    /// <summary>Goes to the next record.</summary>
    /// <param name="cancellationToken">Gives up waiting; nothing is lost.</param>
    /// <returns>
    /// True: there is one. False: the stream has ended as its writer ended it. EBADMSG: it is no such stream, or truncated, or altered.
    /// EOPNOTSUPP: a version of the framing or a mandatory record that is not known. EINVAL: another's stream. ENOMEM: a record over the
    /// limit. ECANCELED: the pipe's read was cancelled. After a failure every call fails alike.
    /// </returns>
    public ValueTask<VfioResult<bool>> ReadAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();
}
