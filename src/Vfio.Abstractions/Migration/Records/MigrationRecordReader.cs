using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vfio;

/// <summary>
/// Reads a data stream that <see cref="MigrationRecordWriter"/> wrote, as its bytes arrive in pieces of any size. A record is handed out
/// once all of it has been checked; what is wrong with a header is found as soon as its 16 bytes are there. Not thread-safe.
/// </summary>
/// <remarks>
/// No more than one record is kept in memory; one that is skipped, not even that. A record is handed out before the end of the stream is
/// there: a device that loads record by record must not run before <see cref="ReadAsync"/> has answered false.
/// </remarks>
public sealed class MigrationRecordReader
{
    private readonly PipeReader _input;
    private readonly byte[] _name;
    private readonly uint[] _tags;
    private readonly int _payloadLimit;
    private Stage _stage;
    private RecordHeader _header;
    private uint? _continued;

    // Of the payload: what there is, what has been checked, and what of that has been consumed already because nobody wants it.
    private long _payload;
    private long _checked;
    private long _consumed;
    private uint _sum = StreamChecksum.Initial;
    private ulong _count;
    private SequencePosition? _behind;
    private MigrationRecord? _record;
    private Errno _error;
    private uint _version;

    /// <summary>Creates the reader of a session.</summary>
    /// <param name="input">Where from: <see cref="MigrationSession.Resuming"/>.</param>
    /// <param name="name">The stream's <see cref="MigrationStreamIdentity.Name"/>: another's is refused.</param>
    /// <param name="tags">The tags that are known. Others are skipped if they are optional, and refused if not.</param>
    /// <param name="payloadLimit">The most bytes of one record, 1 to 2^30.</param>
    public MigrationRecordReader(
        PipeReader input, string name, ReadOnlySpan<uint> tags, int payloadLimit = MigrationRecord.DefaultPayloadLimit)
    {
        CheckLimit(payloadLimit);
        _input = input;
        _name = RecordFormat.EncodeName(name);
        _tags = tags.ToArray();
        _payloadLimit = payloadLimit;
    }

    private enum Stage
    {
        Header,
        Kept,
        Skipped,
        End,
    }

    /// <summary>The version of the stream's layout; known once <see cref="ReadAsync"/> has yielded anything, 0 before.</summary>
    public uint Version => _version;

    /// <summary>The record that <see cref="ReadAsync"/> found; valid until it is called again.</summary>
    public MigrationRecord Record => _record ?? throw new InvalidOperationException("no record has been read");

    /// <summary>Goes to the next record.</summary>
    /// <param name="cancellationToken">Gives up waiting; nothing is lost.</param>
    /// <returns>
    /// True: there is one. False: the stream has ended as its writer ended it, and nothing comes behind. EBADMSG: it is no such stream, or
    /// truncated, or altered. EOPNOTSUPP: a version of the framing, or a mandatory record, that is not known. EINVAL: another's stream.
    /// ENOMEM: a record over the limit. ECANCELED: the pipe's read was cancelled. After any but the last every call fails alike.
    /// </returns>
    public ValueTask<VfioResult<bool>> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (_error != Errno.None)
            return new(_error);
        if (_behind is { } behind)
            _input.AdvanceTo(behind);
        _behind = null;
        _record = null;
        VfioResult<bool>? answer;
        do
        {
            if (!_input.TryRead(out var result))
            {
                var reading = _input.ReadAsync(cancellationToken);
                if (!reading.IsCompletedSuccessfully)
                    return AwaitAsync(reading, cancellationToken);
                result = reading.Result;
            }

            answer = Take(result);
        }
        while (answer is null);
        return new(answer.Value);
    }

    internal static void CheckLimit(int payloadLimit)
    {
        const int Most = 1 << 30;
        ArgumentOutOfRangeException.ThrowIfLessThan(payloadLimit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadLimit, Most);
    }

    private async ValueTask<VfioResult<bool>> AwaitAsync(ValueTask<ReadResult> reading, CancellationToken cancellationToken)
    {
        while (true)
        {
            var answer = Take(await reading.ConfigureAwait(false));
            if (answer is not null)
                return answer.Value;
            reading = _input.ReadAsync(cancellationToken);
        }
    }

    // Null: there is more to come.
    private VfioResult<bool>? Take(in ReadResult result)
    {
        var buffer = result.Buffer;
        while (true)
        {
            var error = Step(ref buffer, out var goesOn);
            if (error == Errno.None && goesOn)
                continue;
            if (_record is not null)
                return true;
            _input.AdvanceTo(buffer.Start, buffer.End);
            if (error == Errno.None && result.IsCanceled)
                return Errno.ECANCELED;
            if (error == Errno.None && !result.IsCompleted)
                return null;
            if (error == Errno.None && _stage == Stage.End)
                return false;
            _error = error == Errno.None ? Errno.EBADMSG : error;
            return _error;
        }
    }

    private Errno Step(ref ReadOnlySequence<byte> buffer, out bool goesOn)
    {
        goesOn = false;
        switch (_stage)
        {
            case Stage.Header:
                if (buffer.Length < RecordFormat.HeaderBytes)
                    return Errno.None;
                goesOn = true;
                return TakeHeader(ref buffer);
            case Stage.End:
                return buffer.IsEmpty ? Errno.None : Errno.EBADMSG;
            default:
                CheckPayload(ref buffer);
                if (buffer.Length < _payload - _consumed + RecordFormat.TrailerBytes)
                    return Errno.None;
                return TakeRecord(ref buffer, out goesOn);
        }
    }

    private Errno TakeHeader(ref ReadOnlySequence<byte> buffer)
    {
        Span<byte> bytes = stackalloc byte[RecordFormat.HeaderBytes];
        buffer.Slice(0, RecordFormat.HeaderBytes).CopyTo(bytes);
        var header = RecordFormat.ReadHeader(bytes);
        var error = CheckHeader(header, out var isKept);
        if (error != Errno.None)
            return error;
        buffer = buffer.Slice(RecordFormat.HeaderBytes);
        _sum = StreamChecksum.Append(_sum, bytes);
        (_header, _payload, _checked, _consumed) = (header, (long)header.Size - RecordFormat.TrailerBytes, 0, 0);
        _continued = (header.Flags & RecordFlags.Continues) != 0 ? header.Tag : null;
        _stage = isKept ? Stage.Kept : Stage.Skipped;
        return Errno.None;
    }

    private Errno CheckHeader(in RecordHeader header, out bool isKept)
    {
        isKept = true;
        if (header.Size < RecordFormat.TrailerBytes || (header.Flags & ~RecordFlags.Known) != 0
            || (_count == 0) != (header.Tag == RecordFormat.StartTag) || (_continued is { } continued && continued != header.Tag))
        {
            return Errno.EBADMSG;
        }

        if (header.Size > RecordFormat.SizeLimit)
            return Errno.ENOMEM;
        var payload = header.Size - RecordFormat.TrailerBytes;
        switch (header.Tag)
        {
            case RecordFormat.StartTag:
                return payload is >= RecordFormat.ShortestStart and <= RecordFormat.LongestStart && header.Flags == 0 ? 0 : Errno.EBADMSG;
            case RecordFormat.EndTag:
                return payload == RecordFormat.EndBytes && header.Flags == 0 ? 0 : Errno.EBADMSG;
        }

        isKept = _tags.AsSpan().Contains(header.Tag);
        if (!isKept && (header.Flags & RecordFlags.Optional) == 0)
            return Errno.EOPNOTSUPP;
        return isKept && payload > (ulong)_payloadLimit ? Errno.ENOMEM : Errno.None;
    }

    // As it arrives, so that the last piece of a record does not wait for all of it.
    private void CheckPayload(ref ReadOnlySequence<byte> buffer)
    {
        var there = Math.Min(buffer.Length, _payload - _consumed) + _consumed;
        if (there > _checked)
            _sum = StreamChecksum.Append(_sum, buffer.Slice(_checked - _consumed, there - _checked));
        _checked = there;
        if (_stage != Stage.Skipped)
            return;
        buffer = buffer.Slice(there - _consumed);
        _consumed = there;
    }

    private Errno TakeRecord(ref ReadOnlySequence<byte> buffer, out bool goesOn)
    {
        Span<byte> trailer = stackalloc byte[RecordFormat.TrailerBytes];
        var payload = buffer.Slice(0, _payload - _consumed);
        buffer.Slice(payload.Length, RecordFormat.TrailerBytes).CopyTo(trailer);
        _sum = StreamChecksum.Append(_sum, trailer[..sizeof(uint)]);
        goesOn = false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != (uint)_count
            || BinaryPrimitives.ReadUInt32LittleEndian(trailer[sizeof(uint)..]) != StreamChecksum.Final(_sum))
        {
            return Errno.EBADMSG;
        }

        var error = Accept(payload);
        if (error != Errno.None)
            return error;
        _count++;
        var behind = buffer.GetPosition(payload.Length + RecordFormat.TrailerBytes);
        if (_record is not null)
            _behind = behind;
        else
            buffer = buffer.Slice(behind);
        goesOn = _record is null;
        return Errno.None;
    }

    private Errno Accept(in ReadOnlySequence<byte> payload)
    {
        var wasSkipped = _stage == Stage.Skipped;
        _stage = Stage.Header;
        Span<byte> own = stackalloc byte[RecordFormat.LongestStart];
        switch (_header.Tag)
        {
            case RecordFormat.StartTag:
                payload.CopyTo(own);
                var version = RecordFormat.ReadStart(own[..(int)payload.Length], _name);
                _version = version.Value;
                return version.Error;
            case RecordFormat.EndTag:
                payload.CopyTo(own);
                _stage = Stage.End;
                return BinaryPrimitives.ReadUInt64LittleEndian(own) == _count ? Errno.None : Errno.EBADMSG;
        }

        if (!wasSkipped)
        {
            var flags = _header.Flags;
            _record = new(_header.Tag, (flags & RecordFlags.Optional) != 0, (flags & RecordFlags.Continues) != 0, payload);
        }

        return Errno.None;
    }
}
