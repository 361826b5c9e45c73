using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using SharedPages;
using Vfio.Hosting.Tests;
using Vfio.Native;
using Vfio.Samples.Tests.Peers;
using Vfio.User.Tests.Peers;

namespace Vfio.Samples.Tests.SharedPages;

/// <summary>All that libvfio-user's samples/client says to a server, in its order and with its numbers.</summary>
public sealed class ConversationTests
{
    private const uint Stop = 1, Running = 2, StopCopy = 3, Resuming = 4, PreCopy = 6;
    private const int PageSize = 4096;
    private readonly ManualTime _clock = new();

    [Fact]
    public async Task The_whole_conversation_of_libvfio_users_sample_client_goes_through()
    {
        await using var source = await ServedSample.StartAsync(new SharedPagesDevice(_clock));
        await using var destination = await ServedSample.StartAsync(new SharedPagesDevice(_clock));
        using var client = source.Connect();
        var descriptors = client.Negotiate();
        client.RefuseRead(Errno.EINVAL, 0xDEADBEEF, 0, 4);
        client.Expect(Fields.Of(16u, 3u, 9u, 5u), 0xB10C, 4, Fields.Of(16u, 0u, 0u, 0u));
        AskForRegions(client);
        var header = client.Read(7, 0, 64);
        Assert.Equal(Fields.Of((ushort)0xDEAD, (ushort)0xBEEF), header[..4]);
        Assert.Equal(Fields.Of((ushort)0xCAFE, (ushort)0xBABE), header[0x2C..0x30]);
        client.Expect([], 1, 13, []);

        // Twice the descriptors of a message, of one page each, all of one file that could be shortened.
        var count = 2 * descriptors;
        using var file = TemporaryFile(count * PageSize);
        for (var i = 0; i < count; i++)
            client.Map(i, file);
        AskForInterrupts(client);
        using var interrupt = EventFd.Create();
        client.ListenToIntx(interrupt);
        client.LogDma(6);

        var alarm = BitConverter.GetBytes(_clock.GetUtcNow().ToUnixTimeSeconds() + 1);
        client.Write(0, 0, alarm);
        Assert.Equal(alarm, client.Read(0, 0, 8));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Interrupts.AssertComes(interrupt);
        client.ServeDma(iova: 0);
        for (var i = 0; i < count; i++)
            Assert.Equal(i is 0 or 1, client.IsDirty((ulong)i * PageSize));
        Assert.Equal(Letters(), Contents(file, PageSize, PageSize));
        client.LogDma(7);
        for (var i = 0; i < descriptors; i++)
        {
            var unmap = Fields.Of(24u, 0u, (ulong)(i * PageSize), (ulong)PageSize);
            client.Expect(unmap, 7, 3, unmap);
        }

        client.Write(0, 0, BitConverter.GetBytes(_clock.GetUtcNow().ToUnixTimeSeconds() + 10));
        var (stream, pages) = Save(client);
        Load(destination, stream, pages, file, descriptors, count);
        Interrupts.AssertSilent(interrupt);
    }

    private static (List<byte[]> Stream, byte[] Pages) Save(SampleClient client)
    {
        var pages = RandomNumberGenerator.GetBytes(3 * PageSize);
        client.Write(1, 0, RandomNumberGenerator.GetBytes(3 * PageSize));
        client.SetState(PreCopy);
        client.Write(1, 0, pages);
        for (var i = 0; i < 12; i++)
            Assert.Equal(1024, client.ReadData().Length);
        client.SetState(StopCopy);
        var stream = Enumerable.Range(0, 13).Select(_ => client.ReadData()).ToList();
        Assert.All(stream[..12], piece => Assert.Equal(1024, piece.Length));
        Assert.Equal(8, stream[12].Length);
        Assert.Equal(pages, stream[..12].SelectMany(piece => piece));
        client.SetState(Stop);
        return (stream, pages);
    }

    private void Load(ServedSample destination, List<byte[]> stream, byte[] pages, SafeFileHandle file, int first, int count)
    {
        using var client = destination.Connect();
        client.Negotiate();
        client.SetState(Resuming);
        foreach (var piece in stream)
        {
            var answer = client.WriteData(piece);
            Assert.Equal((1u, 0), (answer.Flags, answer.Error));
        }

        client.SetState(Stop);
        Assert.Equal(pages, client.Read(1, 0, 3 * PageSize));
        client.SetState(Running);
        for (var i = first; i < count; i++)
            client.Map(i, file);
        AskForInterrupts(client);
        using var interrupt = EventFd.Create();
        client.ListenToIntx(interrupt);
        _clock.Advance(TimeSpan.FromSeconds(9));
        Interrupts.AssertSilent(interrupt);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Interrupts.AssertComes(interrupt);
        client.ServeDma((ulong)first * PageSize);
        Assert.Equal(Letters(), Contents(file, (first + 1) * PageSize, PageSize));
        var unmapAll = Fields.Of(24u, 2u, 0ul, 0ul);
        client.Expect(unmapAll, 8, 3, unmapAll);
    }

    private static void AskForRegions(SampleClient client)
    {
        for (var region = 0u; region < 9; region++)
        {
            var (flags, size, length) = region switch { 0 => (3u, 8ul, 32u), 1 => (0xFu, 0x3000ul, 80u), 7 => (3u, 256ul, 32u), _ => (0u, 0ul, 32u) };
            // The flag of capabilities comes with them.
            var shortFlags = flags & 7;
            client.Expect(
                Fields.Of(length, shortFlags, region, 0u, size, 0ul), 0xABCD, 5, Fields.Of(32u, 0u, region, 0u, 0ul, 0ul));
            if (length == 32)
                continue;
            var answer = client.Ask(0xABCD, 5, Fields.Of(length, 0u, region, 0u, 0ul, 0ul, new byte[length - 32]));
            Assert.Equal(
                Fields.Of(80u, 0xFu, 1u, 32u, 0x3000ul, 0ul, (ushort)1, (ushort)1, 0u, 2u, 0u, 0ul, 0x1000ul, 0x2000ul, 0x1000ul),
                answer.Payload);
            AssertMappable(answer);
        }
    }

    private static unsafe void AssertMappable(RawMessage answer)
    {
        using var file = new SafeFileHandle(Assert.Single(answer.Descriptors), ownsHandle: true);
        foreach (var area in new[] { 0, 0x2000 })
        {
            var address = Libc.mmap(null, PageSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, area);
            Assert.False(address == Libc.MAP_FAILED);
            Assert.Equal(0, Libc.munmap(address, PageSize));
        }
    }

    private static void AskForInterrupts(SampleClient client)
    {
        for (var index = 0u; index < 5; index++)
        {
            var (flags, count) = index switch { 0 => (7u, 1u), 1 or 2 => (9u, 0u), _ => (9u, 1u) };
            client.Expect(Fields.Of(16u, flags, index, count), 0x1BAD, 7, Fields.Of(16u, 0u, index, 0u));
        }
    }


    private static byte[] Letters() => [.. Enumerable.Range(0, PageSize).Select(i => (byte)('A' + (i / 1024)))];

    private static byte[] Contents(SafeFileHandle file, long offset, int length)
    {
        var bytes = new byte[length];
        Assert.Equal(length, RandomAccess.Read(file, bytes, offset));
        return bytes;
    }

    private static SafeFileHandle TemporaryFile(int length)
    {
        var path = Path.GetTempFileName();
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        File.Delete(path);
        RandomAccess.SetLength(file, length);
        return file;
    }
}
