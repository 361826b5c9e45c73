using System.Buffers;
using System.Buffers.Binary;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

/// <summary>Devices that frame their streams in records, driven through their states.</summary>
public sealed class RecordMigrationTests
{
    private const uint Initial = 0, Changed = 1;
    private readonly Migrating _target = new();
    private readonly List<byte[]> _loaded = [];

    public RecordMigrationTests() => _target.Variant.OnLoad = async (session, token) =>
    {
        _loaded.Clear();
        var reader = new MigrationRecordReader(session.Resuming!, "example", [Initial, Changed]);
        VfioResult<bool> read;
        while ((read = await reader.ReadAsync(token)) is { IsSuccess: true, Value: true })
            _loaded.Add(reader.Record.Payload.ToArray());
        return read;
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(1 << 20)]
    public async Task One_writer_writes_the_stream_from_PRE_COPY_to_STOP_COPY(int atOnce)
    {
        var (first, rest) = (Streams.Pattern(3000), Streams.Pattern(500, seed: 2));
        var stream = await SaveAsync(first, rest);
        Assert.Equal(Errno.None, await LoadAsync(stream, atOnce));
        Assert.Equal(Running, await _target.StateAsync());
        Assert.Equal([first, rest], _loaded);
    }

    [Fact]
    public async Task A_stream_that_is_cut_at_a_record_or_altered_at_a_thousand_places_never_loads()
    {
        var stream = await SaveAsync(Streams.Pattern(3000), Streams.Pattern(500, seed: 2));
        for (var at = 0; at < stream.Length; at += 16 + (int)BinaryPrimitives.ReadUInt64LittleEndian(stream.AsSpan(at)))
            await RefuseAsync(stream[..at], 4096);
        var random = new Random(13);
        for (var i = 0; i < 1000; i++)
        {
            var altered = (byte[])stream.Clone();
            altered[random.Next(stream.Length)] ^= (byte)random.Next(1, 256);
            await RefuseAsync(altered, random.Next(100, 5000));
        }
    }

    private static async Task<byte[]> SaveAsync(byte[] first, byte[] rest)
    {
        MigrationRecordWriter? writer = null;
        var source = new Migrating
        {
            Variant =
            {
                OnSave = async (session, phase, token) =>
                {
                    writer ??= new(session.Saving!, new("example", 1));
                    if (phase == PreCopy)
                        return await writer.WriteAsync(Initial, first, cancellationToken: token);
                    var written = await writer.WriteAsync(Changed, rest, cancellationToken: token);
                    return written.IsSuccess ? await writer.EndAsync(token) : written;
                },
            },
        };
        var stream = await source.BeginAsync(PreCopy);
        var (begun, end) = await stream.ReadToEndAsync();
        Assert.Equal(Errno.ENOMSG, end);
        Assert.Null(await source.GoAsync(StopCopy));
        var (ended, last) = await stream.ReadToEndAsync();
        Assert.Equal(Errno.None, last);
        await source.GoAsync(Stop);
        return [.. begun, .. ended];
    }

    private async Task RefuseAsync(byte[] stream, int atOnce)
    {
        var error = await LoadAsync(stream, atOnce);
        Assert.Contains(error, new[] { Errno.EBADMSG, Errno.EINVAL, Errno.EOPNOTSUPP, Errno.ENOMEM });
        Assert.Equal(Resuming, await _target.StateAsync());
        _target.Device.Reset();
        Assert.Equal(Running, await _target.StateAsync());
    }

    // To RUNNING, or to where it is refused.
    private async Task<Errno> LoadAsync(byte[] stream, int atOnce)
    {
        var resuming = await _target.BeginAsync(Resuming);
        for (var at = 0; at < stream.Length; at += atOnce)
        {
            var written = await resuming.WriteAsync(stream.AsMemory(at, Math.Min(atOnce, stream.Length - at)), Cancellation);
            if (!written.IsSuccess)
                break;
        }

        return (await _target.Service.SetStateAsync(Running, Cancellation)).Error;
    }
}
