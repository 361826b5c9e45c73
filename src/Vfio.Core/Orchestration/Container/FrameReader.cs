using System.Buffers.Binary;

namespace Vfio.Core.Orchestration.Container;

/// <summary>Reads frames and checks each before it is looked at. Not thread-safe.</summary>
internal sealed class FrameReader(Stream stream)
{
    private readonly byte[] _header = new byte[ContainerFormat.HeaderSize];
    private byte[] _payload = [];
    private uint _sum;
    private bool _begun;

    /// <summary>Reads a frame.</summary>
    /// <returns>Null: the stream has ended, behind a whole frame.</returns>
    /// <exception cref="MigrationStepException">EBADMSG: damaged. ENODATA is EPIPE here: it ends in the middle.</exception>
    public async ValueTask<Frame?> ReadAsync(CancellationToken cancellationToken)
    {
        if (!_begun)
        {
            // Both have the same size.
            if (!await FillAsync(_header, cancellationToken).ConfigureAwait(false))
                return null;
            _sum = ContainerFormat.ReadPreamble(_header);
            _begun = true;
        }

        while (await FillAsync(_header, cancellationToken).ConfigureAwait(false))
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(8));
            if (length > ContainerFormat.MaxPayload)
                throw new MigrationStepException(Errno.EBADMSG, $"the migration is damaged: a frame of {length} bytes");
            if (_payload.Length < (int)length)
                _payload = GC.AllocateUninitializedArray<byte>((int)length);
            var payload = _payload.AsMemory(0, (int)length);
            if (length > 0 && !await FillAsync(payload, cancellationToken).ConfigureAwait(false))
                throw Truncated();
            var sum = ContainerFormat.Checksum(ContainerFormat.Checksum(_sum, _header.AsSpan(0, 12)), payload.Span);
            if (sum != BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(12)))
                throw new MigrationStepException(Errno.EBADMSG, "the migration is damaged: a checksum is wrong");
            _sum = sum;
            var kind = (FrameKind)BinaryPrimitives.ReadUInt32LittleEndian(_header);
            if (Enum.IsDefined(kind))
                return new(kind, BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(4)), payload);
            if (((uint)kind & ContainerFormat.Optional) == 0)
            {
                throw new MigrationStepException(
                    Errno.EOPNOTSUPP, $"the migration has a frame of a kind that this side does not know: {(uint)kind}");
            }
        }

        return null;
    }

    private static MigrationStepException Truncated()
        => new(Errno.EPIPE, "the migration ends in the middle of a frame");

    private async ValueTask<bool> FillAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var got = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        return got == buffer.Length || (got == 0 ? false : throw Truncated());
    }
}
