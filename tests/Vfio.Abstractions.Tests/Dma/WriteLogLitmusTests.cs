using System.Runtime.InteropServices;

namespace Vfio.Tests.Dma;

/// <summary>
/// What the barrier of the start is for: a writer's data may lie in its processor's store buffer while it finds that no log runs. Stores
/// that miss the cache keep the data there for long: without the barrier a tenth of the rounds fail, where both processors are free.
/// </summary>
public sealed unsafe class WriteLogLitmusTests
{
    private const ulong Page = 4096;
    private const int Rounds = 20_000, ColdBytes = 32 << 20, ColdStores = 24;

    [Fact]
    public void Data_that_is_in_no_log_is_seen_once_the_log_has_started()
    {
        var space = new DmaSpace();
        var bits = new ulong[1];
        var (copy, isStarted) = (0, false);
        Race(
            before: () =>
            {
                Assert.True(space.WriteLog.Stop().IsSuccess);
                isStarted = false;
            },
            write: () => space.MarkWritten(0, 1),
            harvest: data =>
            {
                var pageSize = Page;
                bits[0] = 0;
                if (!isStarted)
                    Assert.True(space.WriteLog.Start([new(0, 64 * Page)], ref pageSize).IsSuccess);
                else
                    Assert.True(space.WriteLog.Report(0, 64 * Page, Page, bits).IsSuccess);
                if (!isStarted || bits[0] != 0)
                    copy = Volatile.Read(ref *data);
                isStarted = true;
                return copy;
            });
    }

    // In each round one write is beside one harvest. Whoever harvests then, and once more when the writer is done, has what was written.
    private static void Race(Action before, Action write, Harvest harvest)
    {
        var cold = (byte*)NativeMemory.AlignedAlloc(ColdBytes, 4096);
        new Span<byte>(cold, ColdBytes).Fill(1);
        var data = (int*)NativeMemory.AlignedAlloc(4096, 4096);
        *data = 0;
        var (go, begun, done) = (0, 0, 0);
        var writer = new Thread(() =>
        {
            var random = 1u;
            for (var i = 1; i <= Rounds; i++)
            {
                Await(ref go, i);
                Volatile.Write(ref begun, i);
                for (var j = 0; j < ColdStores; j++)
                {
                    random = (random * 1664525) + 1013904223;
                    cold[random % ColdBytes] = (byte)i;
                }

                *data = i;
                write();
                Volatile.Write(ref done, i);
            }
        });
        writer.Start();
        var lost = 0;
        for (var i = 1; i <= Rounds; i++)
        {
            before();
            Volatile.Write(ref go, i);
            Await(ref begun, i);
            for (var j = i % 256; j > 0; j--)
                Volatile.Read(ref begun);
            harvest(data);
            Await(ref done, i);
            if (harvest(data) != i)
                lost++;
        }

        writer.Join();
        NativeMemory.AlignedFree(cold);
        NativeMemory.AlignedFree(data);
        Assert.Equal(0, lost);
    }

    private static void Await(ref int value, int wanted)
    {
        for (var spins = 0; Volatile.Read(ref value) != wanted; spins++)
        {
            if (spins > 10_000)
                Thread.Yield();
        }
    }

    private delegate int Harvest(int* data);
}
