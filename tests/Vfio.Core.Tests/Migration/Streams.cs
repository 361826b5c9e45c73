using System.Buffers;

namespace Vfio.Core.Tests.Migration;

/// <summary>What tests do with data streams, on both sides.</summary>
internal static class Streams
{
    /// <summary>A load that takes everything.</summary>
    public static async ValueTask<VfioResult> DrainAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        await TakeAllAsync(session, cancellationToken);
        return VfioResult.Success;
    }

    /// <summary>All that a resuming session brings, to its end.</summary>
    public static async ValueTask<byte[]> TakeAllAsync(MigrationSession session, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await session.Resuming!.ReadAsync(cancellationToken);
            if (read.IsCompleted)
            {
                var all = read.Buffer.ToArray();
                session.Resuming.AdvanceTo(read.Buffer.End);
                return all;
            }

            session.Resuming.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>A save that writes the same bytes whenever it is asked.</summary>
    public static Func<MigrationSession, MigrationState, CancellationToken, ValueTask<VfioResult>> Saving(byte[] bytes)
        => async (session, _, token) =>
        {
            await session.Saving!.WriteAsync(bytes, token);
            return VfioResult.Success;
        };

    /// <summary>Reads until a read brings no bytes.</summary>
    /// <returns>The bytes, and what the last read answered.</returns>
    public static async Task<(byte[] Bytes, Errno End)> ReadToEndAsync(this MigrationDataStream stream, int atOnce = 4096)
    {
        var all = new MemoryStream();
        var buffer = new byte[atOnce];
        while (true)
        {
            var count = await stream.ReadAsync(buffer, TestContext.Current.CancellationToken);
            if (!count.IsSuccess || count.Value == 0)
                return (all.ToArray(), count.Error);
            all.Write(buffer, 0, count.Value);
        }
    }

    /// <summary>Asserts what is read before a read brings no bytes, and what that read answers.</summary>
    public static async Task YieldsAsync(this MigrationDataStream stream, byte[] bytes, Errno end)
    {
        var (read, answer) = await stream.ReadToEndAsync();
        Assert.Equal(end, answer);
        Assert.Equal(bytes, read);
    }

    public static byte[] Pattern(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
