using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Orchestration.Destination;

/// <summary>Reads a file to its end, and finds whatever is wrong with it, before a device is touched.</summary>
internal static class ContainerCheck
{
    public static async Task RunAsync(Stream file, CancellationToken cancellationToken)
    {
        var reader = new FrameReader(file);
        var order = new ContainerOrder();
        Frame? frame;
        do
        {
            frame = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            order.Next(frame);
        }
        while (frame!.Value.Kind != FrameKind.Stopped);
        if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false) is not null)
            throw new MigrationStepException(Errno.EBADMSG, "the migration goes on behind its end");
    }
}
