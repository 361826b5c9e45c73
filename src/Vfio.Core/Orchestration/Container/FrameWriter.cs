using System.Buffers.Binary;

namespace Vfio.Core.Orchestration.Container;

/// <summary>Writes frames, each with one write. Not thread-safe.</summary>
internal sealed class FrameWriter(Stream stream)
{
    private byte[] _buffer = new byte[ContainerFormat.HeaderSize + 512];
    private uint _sum;
    private bool _begun;

    /// <summary>A write did not end: what follows would not be understood.</summary>
    public bool IsBroken { get; private set; }

    public ValueTask FlushAsync(CancellationToken cancellationToken) => new(stream.FlushAsync(cancellationToken));

    /// <summary>Room for a payload, which the next frame takes from there.</summary>
    public Memory<byte> Room(int size)
    {
        if (_buffer.Length < ContainerFormat.HeaderSize + size)
            _buffer = GC.AllocateUninitializedArray<byte>(ContainerFormat.HeaderSize + size);
        return _buffer.AsMemory(ContainerFormat.HeaderSize, size);
    }

    public ValueTask WriteAsync(FrameKind kind, uint device, ReadOnlySpan<byte> payload, CancellationToken cancellationToken)
    {
        payload.CopyTo(Room(payload.Length).Span);
        return WriteAsync(kind, device, payload.Length, cancellationToken);
    }

    /// <summary>Writes a frame with so much of <see cref="Room"/>.</summary>
    public async ValueTask WriteAsync(FrameKind kind, uint device, int length, CancellationToken cancellationToken)
    {
        if (!_begun)
        {
            _begun = true;
            var preamble = new byte[ContainerFormat.PreambleSize];
            _sum = ContainerFormat.WritePreamble(preamble);
            await WriteAsync(preamble, cancellationToken).ConfigureAwait(false);
        }

        var frame = _buffer.AsMemory(0, ContainerFormat.HeaderSize + length);
        Complete(frame.Span, kind, device, length);
        await WriteAsync(frame, cancellationToken).ConfigureAwait(false);
    }

    private void Complete(Span<byte> frame, FrameKind kind, uint device, int length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)kind);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], device);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], (uint)length);
        _sum = ContainerFormat.Checksum(ContainerFormat.Checksum(_sum, frame[..12]), frame[ContainerFormat.HeaderSize..]);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[12..], _sum);
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (IsBroken)
            throw new MigrationStepException(Errno.EPIPE, "the connection is broken");
        IsBroken = true;
        await stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        IsBroken = false;
    }
}
