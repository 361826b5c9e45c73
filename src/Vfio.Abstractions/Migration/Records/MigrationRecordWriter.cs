using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vfio;

/// <summary>
/// Writes a data stream of records that <see cref="MigrationRecordReader"/> loads, and that is not loaded if anything of it is missing,
/// altered, repeated or in another order. One writer for the whole of a session, its phases included. Not thread-safe.
/// </summary>
public sealed class MigrationRecordWriter
{
    private readonly PipeWriter _output;
    private readonly byte[] _name;
    private readonly uint _layout;
    private readonly int _payloadLimit;
    private Memory<byte> _reserved;
    private ulong _count;
    private uint _sum = StreamChecksum.Initial;
    private uint? _continued;
    private bool _hasEnded;
    private bool _isAbandoned;

    /// <summary>Creates the writer of a session.</summary>
    /// <param name="output">Where to: <see cref="MigrationSession.Saving"/>.</param>
    /// <param name="identity">Whose stream it is.</param>
    /// <param name="payloadLimit">
    /// The most bytes of one record, 1 to 2^30: what readers take, see <see cref="MigrationRecord.DefaultPayloadLimit"/>.
    /// </param>
    public MigrationRecordWriter(
        PipeWriter output, MigrationStreamIdentity identity, int payloadLimit = MigrationRecord.DefaultPayloadLimit)
    {
        MigrationRecordReader.CheckLimit(payloadLimit);
        _output = output;
        _name = RecordFormat.EncodeName(identity.Name);
        _layout = identity.Version;
        _payloadLimit = payloadLimit;
    }

    /// <summary>Writes a payload as a record, or as several that continue each other if it is longer than the limit.</summary>
    /// <param name="tag">What it holds; below <see cref="MigrationRecord.FirstReservedTag"/>.</param>
    /// <param name="payload">The bytes; may be empty.</param>
    /// <param name="isOptional">Whether a reader that does not know the tag may skip it.</param>
    /// <param name="cancellationToken">
    /// Gives up waiting for the reader. Between two records that continue each other the stream is then abandoned: every later call throws.
    /// </param>
    /// <returns>ENODEV: nobody reads any more.</returns>
    public ValueTask<VfioResult> WriteAsync(
        uint tag, ReadOnlyMemory<byte> payload, bool isOptional = false, CancellationToken cancellationToken = default)
    {
        if (payload.Length > _payloadLimit)
            return WriteSplitAsync(tag, payload, isOptional, cancellationToken);
        payload.Span.CopyTo(GetMemory(payload.Length).Span);
        return CommitAsync(tag, payload.Length, isOptional, continues: false, cancellationToken);
    }

    /// <summary>
    /// Memory of the pipe to put the payload of one record into, without a copy. <see cref="CommitAsync"/> makes the record; before that
    /// nothing else may be asked of the writer.
    /// </summary>
    /// <param name="length">How much is wanted, at most the limit.</param>
    /// <returns>Exactly so much.</returns>
    public Memory<byte> GetMemory(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_payloadLimit, nameof(length));
        ThrowIfOver();
        if (_count == 0)
            Start();
        return Reserve(length);
    }

    /// <summary>Makes a record of what was put into the memory that <see cref="GetMemory"/> gave.</summary>
    /// <param name="tag">
    /// What it holds; below <see cref="MigrationRecord.FirstReservedTag"/>, and that of the record before if that one continues.
    /// </param>
    /// <param name="length">The bytes that count, from its start.</param>
    /// <param name="isOptional">Whether a reader that does not know the tag may skip it.</param>
    /// <param name="continues">Whether the next record, of the same tag, goes on with the same payload.</param>
    /// <param name="cancellationToken">Gives up waiting for the reader; the record is written all the same.</param>
    /// <returns>ENODEV: nobody reads any more.</returns>
    public ValueTask<VfioResult> CommitAsync(
        uint tag, int length, bool isOptional = false, bool continues = false, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(tag, MigrationRecord.FirstReservedTag);
        if (_continued is { } continued && continued != tag)
            throw new InvalidOperationException($"the record before, of tag {continued}, continues");
        var flags = (isOptional ? RecordFlags.Optional : RecordFlags.None) | (continues ? RecordFlags.Continues : RecordFlags.None);
        Put(tag, length, flags);
        _continued = continues ? tag : null;
        return FlushAsync(cancellationToken);
    }

    /// <summary>Ends the stream: without this it is not loaded. The pipe itself is its owner's to complete.</summary>
    /// <param name="cancellationToken">Gives up waiting for the reader.</param>
    /// <returns>ENODEV: nobody reads any more.</returns>
    public ValueTask<VfioResult> EndAsync(CancellationToken cancellationToken = default)
    {
        if (_continued is { } continued)
            throw new InvalidOperationException($"the record before, of tag {continued}, continues");
        ThrowIfOver();
        if (_count == 0)
            Start();
        _hasEnded = true;
        BinaryPrimitives.WriteUInt64LittleEndian(Reserve(RecordFormat.EndBytes).Span, _count);
        Put(RecordFormat.EndTag, RecordFormat.EndBytes, RecordFlags.None);
        return FlushAsync(cancellationToken);
    }

    private async ValueTask<VfioResult> WriteSplitAsync(
        uint tag, ReadOnlyMemory<byte> payload, bool isOptional, CancellationToken cancellationToken)
    {
        while (true)
        {
            var part = payload[..Math.Min(payload.Length, _payloadLimit)];
            payload = payload[part.Length..];
            part.Span.CopyTo(GetMemory(part.Length).Span);
            var flushing = CommitAsync(tag, part.Length, isOptional, !payload.IsEmpty, cancellationToken);
            // What is written next would be taken for the rest of a payload that is given up half way.
            _isAbandoned = !payload.IsEmpty;
            var written = await flushing.ConfigureAwait(false);
            if (!written.IsSuccess || payload.IsEmpty)
                return written;
            _isAbandoned = false;
        }
    }

    private void ThrowIfOver()
    {
        if (_hasEnded)
            throw new InvalidOperationException("the stream has been ended");
        if (_isAbandoned)
            throw new InvalidOperationException("a payload was given up half way: the stream is abandoned");
    }

    private void Start()
    {
        var length = RecordFormat.WriteStart(Reserve(RecordFormat.LongestStart).Span, _layout, _name);
        Put(RecordFormat.StartTag, length, RecordFlags.None);
    }

    private Memory<byte> Reserve(int length)
    {
        _reserved = _output.GetMemory(length + RecordFormat.FrameBytes)[..(length + RecordFormat.FrameBytes)];
        return _reserved.Slice(RecordFormat.HeaderBytes, length);
    }

    // The record lies in one piece: what is in the pipe is whole records.
    private void Put(uint tag, int length, RecordFlags flags)
    {
        var bytes = RecordFormat.FrameBytes + length;
        if (length < 0 || bytes > _reserved.Length)
            throw new InvalidOperationException($"{length} bytes were not reserved");
        var record = _reserved.Span[..bytes];
        _reserved = default;
        RecordFormat.WriteHeader(record, length, flags, tag);
        var trailer = record[^RecordFormat.TrailerBytes..];
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, (uint)_count);
        _sum = StreamChecksum.Append(_sum, record[..^sizeof(uint)]);
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[sizeof(uint)..], StreamChecksum.Final(_sum));
        _output.Advance(bytes);
        _count++;
    }

    private ValueTask<VfioResult> FlushAsync(CancellationToken cancellationToken)
    {
        var flushing = _output.FlushAsync(cancellationToken);
        return flushing.IsCompletedSuccessfully ? new(Answer(flushing.Result)) : Await(flushing);

        static async ValueTask<VfioResult> Await(ValueTask<FlushResult> flushing) => Answer(await flushing.ConfigureAwait(false));
    }

    private static VfioResult Answer(in FlushResult flushed)
        => flushed.IsCompleted ? Errno.ENODEV : flushed.IsCanceled ? Errno.ECANCELED : VfioResult.Success;
}
