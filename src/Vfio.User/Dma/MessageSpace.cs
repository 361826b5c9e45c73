namespace Vfio.User.Dma;

/// <summary>
/// A client's memory by DMA_READ and DMA_WRITE alone, files or no files. The maps still say what may be reached, and an unmap ends what
/// waits for it.
/// </summary>
internal sealed class MessageSpace(ClientDmaSpace space) : IDmaSpace
{
    public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
    {
        segment = default;
        return false;
    }

    public VfioResult Read(ulong iova, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            if (!space.TryHold(iova, destination.Length, DmaAccess.Read, out var map, out var count))
                return Errno.EFAULT;
            try
            {
                var result = map.Requests.Read(map, iova, destination[..count]);
                if (!result.IsSuccess)
                    return result;
            }
            finally
            {
                ClientDmaSpace.Release(map);
            }

            destination = destination[count..];
            iova += (ulong)count;
        }

        return VfioResult.Success;
    }

    public VfioResult Write(ulong iova, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            if (!space.TryHold(iova, source.Length, DmaAccess.Write, out var map, out var count))
                return Errno.EFAULT;
            try
            {
                var result = map.Requests.Write(map, iova, source[..count]);

                // A transfer that failed may have written some of it.
                space.MarkWritten(iova, (ulong)count);
                if (!result.IsSuccess)
                    return result;
            }
            finally
            {
                ClientDmaSpace.Release(map);
            }

            source = source[count..];
            iova += (ulong)count;
        }

        return VfioResult.Success;
    }

    public void CancelTransfers() => space.CancelTransfers();

    public IDmaSpace ByMessage => this;

    public void MarkWritten(ulong iova, ulong length) => space.MarkWritten(iova, length);

    public IDmaLogging? WriteLog => space.WriteLog;

    public IDmaLogging? CreateWriteLog() => space.CreateWriteLog();

    public IDisposable? Observe(IDmaObserver observer) => space.Observe(observer);
}
